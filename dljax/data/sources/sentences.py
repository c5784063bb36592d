"""Labeled sentences as numbers: filled up to one length with the token 0."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dljax.data.pipeline import Arrays
from dljax.data.sources.text import Words
from dljax.errors import UserError

FILL = "<fill>"  # token 0, of no sentence


class Labeled(NamedTuple):
    """Sentences and their classes.

    Attributes:
        texts: words between spaces.
        labels: the class of each.
    """

    texts: Sequence[str]
    labels: Sequence[int]


class SentenceSet(NamedTuple):
    """Splits, each ``tokens`` int32 [n, t] and ``label`` int32 [n].

    Attributes:
        vocabulary: of the training split's words; ``FILL`` is the first.
    """

    train: Arrays
    validation: Arrays
    test: Arrays
    vocabulary: Words


def vocabulary_of(texts: Sequence[str]) -> Words:
    """The words that occur twice or more in these texts, in order of frequency, after ``FILL``.

    Those that occur once are unknown ones, so that what stands for a word that is not known is trained.
    """
    words = " ".join(texts).split()
    counts = Counter(words)
    often = Words.of([word for word in words if counts[word] > 1])
    return Words((FILL, *often.words))


def sentence_set(
    train: Labeled, validation: Labeled, test: Labeled, names: Sequence[str]
) -> SentenceSet:
    """Splits as tokens, each filled up to the length of the longest sentence of all.

    Args:
        names: of the classes.

    Raises:
        UserError: a split without sentences, or a sentence without words.
    """
    vocabulary = vocabulary_of(train.texts)
    longest = max((len(t.split()) for s in (train, validation, test) for t in s.texts), default=0)

    def arrays(split: Labeled) -> Arrays:
        if not split.texts:
            raise UserError("a split of no sentences: expected one a line, as 'label words'")
        tokens = np.zeros((len(split.texts), longest), np.int32)
        for row, text in zip(tokens, split.texts, strict=True):
            found = vocabulary.encode(text)
            if not len(found):
                raise UserError("a sentence without words: expected 'label words' on each line")
            row[: len(found)] = found
        label = np.asarray(split.labels, np.int32)
        return Arrays({"tokens": tokens, "label": label}, tuple(names))

    return SentenceSet(arrays(train), arrays(validation), arrays(test), vocabulary)


def shown(tokens: np.ndarray, vocabulary: Words) -> str:
    """The words of a row of tokens, without what fills it up."""
    return vocabulary.decode(tokens[tokens > 0])
