"""Captions of pictures as rows of words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dljax.data.pipeline import Arrays
from dljax.data.sources.pairs import BEGIN, PAD, vocabulary
from dljax.data.sources.text import Words
from dljax.errors import UserError, nearest

_WORD = re.compile(r"\w+")


def words_of(text: str) -> list[str]:
    """Lower-case words; punctuation is left out: "A seven, then a two" is a, seven, then, a, two."""
    return _WORD.findall(text.lower())


@dataclass(frozen=True)
class Captions:
    """Captions as int32 [length]: BEGIN, the words, and PAD behind them.

    Attributes:
        vocabulary: with ``pairs.MARKS`` first.
        length: of a row.
    """

    vocabulary: Words
    length: int

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Captions":
        """The words of these captions, and room for the longest."""
        parts = [words_of(text) for text in texts]
        return cls(vocabulary(" ".join(part) for part in parts), 1 + max(map(len, parts)))

    def encode(self, text: str) -> np.ndarray:
        """One caption.

        Raises:
            UserError: it is empty or too long, or has a word that no caption of ``of`` has.
        """
        parts, known = words_of(text), self.vocabulary.words
        for word in parts:
            if word not in known[4:]:
                raise UserError(
                    f"the caption {text!r} has {word!r}, which no caption of the training set has; "
                    f"{nearest(word, known[4:])}"
                )
        if not 0 < len(parts) < self.length:
            raise UserError(
                f"the caption {text!r} has {len(parts)} words: expected 1 to {self.length - 1}"
            )
        row = np.full(self.length, PAD, np.int32)
        row[0], row[1 : 1 + len(parts)] = BEGIN, self.vocabulary.encode(" ".join(parts))
        return row

    def rows(self, texts: Sequence[str]) -> np.ndarray:
        """int32 [n, length]."""
        return np.stack([self.encode(text) for text in texts])

    def decode(self, row: np.ndarray) -> str:
        """The words of a row."""
        return " ".join(self.vocabulary.words[token] for token in row if token not in (BEGIN, PAD))


class Captioned(NamedTuple):
    """Pictures with captions: ``image`` uint8 [n, h, w, c] and ``caption`` int32 [n, length]. No caption of
    ``test`` is in ``train``, but each of its words is.
    """

    train: Arrays
    test: Arrays
    captions: Captions


def captioned(
    train: tuple[np.ndarray, Sequence[str]], test: tuple[np.ndarray, Sequence[str]]
) -> Captioned:
    """Images and texts of the two parts, with the words of the first.

    Raises:
        UserError: a caption is in both.
    """
    if both := set(train[1]) & set(test[1]):
        raise UserError(f"{len(both)} captions are in both parts, as {min(both)!r}: expected none")
    captions = Captions.of(train[1])
    first, second = (
        Arrays({"image": image, "caption": captions.rows(texts)}) for image, texts in (train, test)
    )
    return Captioned(first, second, captions)
