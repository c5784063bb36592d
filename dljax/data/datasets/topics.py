"""The English text of Python's own help topics (``pydoc_data.topics``): 0.46 million characters of
reference prose that install with Python. The text differs a little between its versions.
"""

import functools

from dljax.data import fake as fake_data
from dljax.data.sources import embedded
from dljax.data.sources.text import Characters, Text

_ALPHABET = "\n" + "".join(map(chr, range(32, 127)))
_PLAIN = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-"}
)

# The same in every Python version, so that the model's shapes are too.
VOCABULARY = Characters(_ALPHABET, unknown="?")


@functools.lru_cache(maxsize=1)
def each() -> tuple[str, ...]:
    """The text of each topic, in the order of their names, plain quotation marks and dashes for others."""
    from pydoc_data.topics import topics

    return tuple(topics[name].strip().translate(_PLAIN) for name in sorted(topics))


def whole() -> str:
    """The text of all topics."""
    return "\n\n".join(each())


def load(data: str = "", *, fake: bool = False) -> Text:
    """The first 90 % for training, the rest for validation; 96 characters.

    Args:
        data: must be empty: nothing is read from files.
        fake: made-up text over the same characters.

    Raises:
        UserError: a path in ``data``.
    """
    embedded(data)
    if fake:
        tokens = fake_data.text(40_000, len(VOCABULARY))
    else:
        tokens = VOCABULARY.encode(whole())
    cut = len(tokens) * 9 // 10
    return Text(tokens[:cut], tokens[cut:], VOCABULARY)
