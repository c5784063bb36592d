"""Tagged words as rows of word pieces."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dljax.data.pipeline import Arrays
from dljax.data.sources.text import read_text
from dljax.data.sources.word_pieces import WordPieces
from dljax.errors import UserError

NO_TAG = -1  # of a piece that begins no word


class Tagged(NamedTuple):
    """A text: its words, and the tag of each."""

    words: Sequence[str]
    tags: Sequence[str]


def read_tagged(file: Path) -> list[Tagged]:
    """The texts of a file: a word, a tab or spaces and its tag on each line, an empty line between texts.

    Raises:
        UserError: it cannot be read, or a line has no tag of the kind "O", "B-name" or "I-name".
    """
    found: list[Tagged] = []
    words: list[str] = []
    tags: list[str] = []
    for number, line in enumerate([*read_text(file).split("\n"), ""], 1):
        parts = line.split()
        if not parts:
            if words:
                found.append(Tagged(words, tags))
            words, tags = [], []
        elif len(parts) < 2 or parts[-1].partition("-")[0] not in ("O", "B", "I"):
            raise UserError(
                f"{file} line {number} is {line[:40]!r}: expected a word and its tag, O, B-name or I-name"
            )
        else:
            words.append(parts[0])
            tags.append(parts[-1])
    if not found:
        raise UserError(f"{file} has no texts: expected a word and its tag on each line")
    return found


def tag_names(texts: Sequence[Tagged]) -> tuple[str, ...]:
    """The tags that occur, "O" first."""
    return ("O", *sorted({tag for text in texts for tag in text.tags} - {"O"}))


def tagged_rows(
    texts: Sequence[Tagged], names: Sequence[str], vocabulary: WordPieces, length: int = 0
) -> Arrays:
    """``tokens`` int32 [n, length], and ``label`` int32 [n, length]: the number of a word's tag at its
    first piece, NO_TAG elsewhere.

    Args:
        names: of the tags.
        length: of the rows, by default as long as the longest text needs; a longer text loses its end.

    Raises:
        UserError: a tag is not among ``names``.
    """
    known = {word: i for i, word in enumerate({word: 0 for text in texts for word in text.words})}
    pieces, numbers = vocabulary.encode_all(list(known)), {name: i for i, name in enumerate(names)}
    # A word of which nothing is left, such as a lone accent, keeps its place.
    pieces = [p if len(p) else np.array([vocabulary.special.unknown], np.int32) for p in pieces]
    rows = [[pieces[known[word]] for word in text.words] for text in texts]
    length = length or 2 + max(sum(map(len, row)) for row in rows)
    tokens = np.full((len(texts), length), vocabulary.special.padding, np.int32)
    label = np.full((len(texts), length), NO_TAG, np.int32)
    for i, (text, row) in enumerate(zip(texts, rows, strict=True)):
        at = 1
        tokens[i, 0] = vocabulary.special.first
        for word, tag in zip(row, text.tags, strict=True):
            if tag not in numbers:
                raise UserError(f"the tag {tag!r} is none of {', '.join(names)}")
            if at + len(word) > length - 1:
                break
            tokens[i, at : at + len(word)] = word
            label[i, at] = numbers[tag]
            at += len(word)
        tokens[i, at] = vocabulary.special.last
    return Arrays({"tokens": tokens, "label": label}, tuple(names))
