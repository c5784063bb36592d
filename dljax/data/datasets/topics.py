"""The English text of Python's own help topics (``pydoc_data.topics``): 0.46 million characters of
reference prose that install with Python. The text differs a little between its versions.
"""

import functools
import re
from collections.abc import Sequence
from typing import Any

from dljax.data import fake as fake_data
from dljax.data.sources import embedded
from dljax.data.sources.text import Characters, Text

_ALPHABET = "\n" + "".join(map(chr, range(32, 127)))
_SPLIT = (0, 0, 0, 2, 0, 0, 1, 0, 0, 2)
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


@functools.lru_cache(maxsize=1)
def sentences() -> tuple[tuple[str, ...], ...]:
    """The sentences of each topic, of 4 to 60 words and marks; one that several topics have is the first one's."""
    seen: set[tuple[str, ...]] = set()
    found = []
    for topic in each():
        text = re.sub(r"(?m)^\W+$", "", topic)  # lines of stars under headings
        kept = []
        for sentence in re.split(r"\n\s*\n|(?<=[.:;?])\s+(?=[A-Z])", text):
            words = tuple(re.findall(r"\w+|[^\w\s]", sentence))
            if 4 <= len(words) <= 60 and words not in seen:
                seen.add(words)
                kept.append(" ".join(sentence.split()))
        found.append(tuple(kept))
    return tuple(found)


def split_by_topic(parts: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
    """Parts, one of each topic, for training, validation and test: of every ten topics 7, 1 and 2."""
    splits: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
    for number, part in enumerate(parts):
        splits[_SPLIT[number % 10]].append(part)
    return splits


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
    return Text.cut(tokens, VOCABULARY)
