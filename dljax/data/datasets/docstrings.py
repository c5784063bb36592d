"""Sentences of scipy's documentation, with the subpackage that each is from: about ten thousand sentences of
technical English that install with scipy. The text differs a little between its versions.
"""

import functools
import inspect
import re
import zlib

from dljax.data.datasets.topics import VOCABULARY
from dljax.data.sources import embedded, package_folder
from dljax.data.sources.labeled_texts import Labeled, LabeledTexts, made_up
from dljax.data.sources.text import Text

NAMES = ("interpolate", "linalg", "ndimage", "optimize", "signal", "sparse", "stats")
_DOCSTRING = re.compile(
    r'(?:def|class) (\w+)(?:(?!\bdef |\bclass |""").)*?:\s*\n\s+r?"""(.*?)"""', re.DOTALL
)
_SENTENCE = re.compile(r"(?<=[.?!])\s+(?=[A-Z])")
_WORD = re.compile(r"[a-z_]+|[0-9]+|[^\w\s]")
_PLAIN = re.compile(r"[A-Z][^`>=\\|:]*\.")  # no code, no formula, no table
_LENGTHS = range(5, 41)  # words


@functools.lru_cache(maxsize=1)
def _sentences() -> tuple[list[str], list[int], list[int]]:
    """(texts, labels, a number for each, the same for all sentences of one function)."""
    home, seen = package_folder("scipy"), set()
    texts, labels, groups = [], [], []
    for label, name in enumerate(NAMES):
        for path in sorted((home / name).rglob("*.py")):
            if "tests" in path.parts:
                continue
            for function, text in _DOCSTRING.findall(path.read_text("utf-8")):
                for paragraph in re.split(r"\n\s*\n", text):
                    for sentence in _SENTENCE.split(" ".join(paragraph.split())):
                        words = " ".join(_WORD.findall(sentence.lower()))
                        fits = _PLAIN.fullmatch(sentence) and len(words.split()) in _LENGTHS
                        if fits and words not in seen:
                            seen.add(words)
                            texts.append(words)
                            labels.append(label)
                            groups.append(zlib.crc32(f"{name} {function}".encode()) % 10)
    return texts, labels, groups


def text(data: str = "", name: str = "signal", *, fake: bool = False) -> Text:
    """The documentation of all functions of a subpackage as it stands, in the characters of ``topics``: the first
    90 % for training, the rest for validation.

    Args:
        data: must be empty: nothing is read from files.
        fake: its beginning.

    Raises:
        UserError: a path in ``data``.
    """
    embedded(data)
    parts = []
    for path in sorted((package_folder("scipy") / name).rglob("*.py")):
        if "tests" not in path.parts:
            found = _DOCSTRING.findall(path.read_text("utf-8"))
            parts += [inspect.cleandoc(words) for _, words in found]
    tokens = VOCABULARY.encode("\n\n".join(parts)[: 20_000 if fake else None])
    return Text.cut(tokens, VOCABULARY)


def load(data: str = "", *, fake: bool = False) -> LabeledTexts:
    """train, validation and test; all sentences of a function are in one split, 80, 10 and 10 % of them.

    No sentence occurs twice: one that several functions have stands with the first.

    Args:
        data: must be empty: nothing is read from files.
        fake: made-up sentences of the same classes.

    Raises:
        UserError: a path in ``data``.
    """
    embedded(data)
    if fake:
        return made_up(NAMES)
    texts, labels, groups = _sentences()

    def split(numbers: range) -> Labeled:
        at = [i for i, group in enumerate(groups) if group in numbers]
        return Labeled(texts, labels).at(at)

    return LabeledTexts(split(range(2, 10)), split(range(1, 2)), split(range(1)), NAMES)
