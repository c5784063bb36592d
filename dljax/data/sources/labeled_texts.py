"""Labeled texts, and the same as numbers: in words, or in word pieces."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dljax.data.pipeline import Arrays
from dljax.data.sources.text import Words
from dljax.data.sources.word_pieces import WordPieces
from dljax.errors import UserError

FILL = "<fill>"  # token 0 of a vocabulary of words, of no text


class Labeled(NamedTuple):
    """Texts and their classes.

    Attributes:
        texts: words between spaces.
        labels: the class of each.
        second: where they are pairs, the second texts.
    """

    texts: Sequence[str]
    labels: Sequence[int]
    second: Sequence[str] = ()

    def at(self, indices: Sequence[int]) -> "Labeled":
        """The texts with these numbers."""
        second = [self.second[i] for i in indices] if self.second else ()
        return Labeled([self.texts[i] for i in indices], [self.labels[i] for i in indices], second)


class LabeledTexts(NamedTuple):
    """Splits, and the names of their classes."""

    train: Labeled
    validation: Labeled
    test: Labeled
    names: tuple[str, ...]


class Tokenized(NamedTuple):
    """Splits, each ``tokens`` int32 [n, t] and ``label`` int32 [n]; of word pieces also ``types`` [n, t].

    Attributes:
        vocabulary: learned from the training split, if it is not a file's; of words ``FILL`` is the first.
    """

    train: Arrays
    validation: Arrays
    test: Arrays
    names: tuple[str, ...]
    vocabulary: Any


def read_labeled(file: Path, classes: int) -> Labeled:
    """The texts of a file, "class text" on each line, in UTF-8 or Latin-1.

    Raises:
        UserError: it cannot be read, or a line has no class or no text.
    """
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror or error}") from None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    texts, labels = [], []
    # Not splitlines: Latin-1 has letters that it takes for ends of lines.
    for number, line in enumerate(text.rstrip().split("\n"), 1):
        label, _, words = line.strip().partition(" ")
        if not label.isdecimal() or len(label) > 9 or int(label) >= classes or not words.strip():
            raise UserError(
                f"{file} line {number} is {line[:40]!r}: expected a class, 0 to {classes - 1}, and a text"
            )
        texts.append(words.strip())
        labels.append(int(label))
    return Labeled(texts, labels)


def vocabulary_of(texts: Sequence[str], least: int = 2) -> Words:
    """The words that occur ``least`` times or more in these texts, in order of frequency, after ``FILL``.

    Others are unknown ones, so that what stands for a word that is not known is trained.
    """
    words = " ".join(texts).split()
    counts = Counter(words)
    often = Words.of([word for word in words if counts[word] >= least and word != FILL])
    return Words((FILL, *often.words))


def in_words(found: LabeledTexts, least: int = 2) -> Tokenized:
    """Splits in lower-case words, each filled up to the length of the longest text of all.

    Args:
        least: of ``vocabulary_of``.

    Raises:
        UserError: a split without texts, a text without words, or pairs of texts.
    """
    splits = [[text.lower() for text in split.texts] for split in found[:3]]
    vocabulary = vocabulary_of(splits[0], least)
    longest = max((len(text.split()) for split in splits for text in split), default=0)

    def arrays(texts: list[str], split: Labeled) -> Arrays:
        if not texts or split.second:
            raise UserError(
                "a split of no texts, or of pairs: expected one text a line, as 'label words'"
            )
        tokens = np.zeros((len(texts), longest), np.int32)
        for row, text in zip(tokens, texts, strict=True):
            words = vocabulary.encode(text)
            if not len(words):
                raise UserError("a text without words: expected 'label words' on each line")
            row[: len(words)] = words
        return Arrays({"tokens": tokens, "label": np.asarray(split.labels, np.int32)}, found.names)

    rows = [arrays(texts, split) for texts, split in zip(splits, found[:3], strict=True)]
    return Tokenized(rows[0], rows[1], rows[2], found.names, vocabulary)


def in_pieces(
    found: LabeledTexts, vocabulary: str = "", *, size: int = 2000, length: int = 64
) -> Tokenized:
    """Splits in word pieces, pairs of texts side by side (``WordPieces.rows``).

    Args:
        vocabulary: a file of pieces, as BERT's ``vocab.txt``; by default ``size`` pieces are learned
            from the texts for training.
        length: of the rows; what is longer loses its end.

    Raises:
        UserError: there is no such file, or it holds no vocabulary.
    """
    if vocabulary:
        known = WordPieces.read(vocabulary)
    else:
        known = WordPieces.train([*found.train.texts, *found.train.second], size)

    def arrays(split: Labeled) -> Arrays:
        rows = known.rows(split.texts, length, split.second or None)
        return Arrays({**rows, "label": np.asarray(split.labels, np.int32)}, found.names)

    rows = [arrays(split) for split in found[:3]]
    return Tokenized(rows[0], rows[1], rows[2], found.names, known)


def shown(tokens: np.ndarray, vocabulary: Words) -> str:
    """The words of a row of tokens, without what fills it up."""
    return vocabulary.decode(tokens[tokens > 0])


def made_up(names: Sequence[str]) -> LabeledTexts:
    """Fake texts of 3 to 20 words, 400, 80 and 80: a third of the words are their class' own."""
    rng = np.random.default_rng(23)

    def split(n: int) -> Labeled:
        texts, labels = [], rng.integers(0, len(names), n).tolist()
        for label in labels:
            size = rng.integers(3, 21)
            own = rng.random(size) < 1 / 3
            words = np.where(
                own, 40 + 8 * label + rng.integers(0, 8, size), rng.integers(0, 40, size)
            )
            texts.append(" ".join(f"w{word}" for word in words))
        return Labeled(texts, labels)

    return LabeledTexts(split(400), split(80), split(80), tuple(names))
