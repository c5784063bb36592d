"""Texts with named entities: any set in files of a word and its tag a line, such as the NCBI disease corpus
(Doğan et al. 2014, doi:10.1016/j.jbi.2013.12.006); and names of Python in the text of its help.
"""

import functools
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dljax.data.datasets import topics
from dljax.data.pipeline import Arrays
from dljax.data.sources.tagged import Tagged, read_tagged, tag_names, tagged_rows
from dljax.data.sources.word_pieces import SPECIAL, WordPieces
from dljax.errors import UserError

_FILES = ("train.tsv", "devel.tsv", "test.tsv")
_WORD = re.compile(r'"[^"\n]{1,40}"|\w+|[^\w\s]')
_FAKE = 60  # words of the fake twin


class EntitySet(NamedTuple):
    """Splits, each ``tokens`` and ``label`` int32 [n, t]; the tags' names; the vocabulary."""

    train: Arrays
    validation: Arrays
    test: Arrays
    names: tuple[str, ...]
    vocabulary: WordPieces


@functools.lru_cache(maxsize=1)
def _named_in_help() -> tuple[list[Tagged], ...]:
    """Sentences of the help, in which what stands in quotation marks is a name; its marks are gone."""
    return tuple(
        [_named(sentence) for some in part for sentence in some]
        for part in topics.split_by_topic(topics.sentences())
    )


def _named(sentence: str) -> Tagged:
    words: list[str] = []
    tags: list[str] = []
    for found in _WORD.findall(sentence):
        inside = re.findall(r"\w+|[^\w\s]", found)
        if found[0] == '"' and len(inside) > 2:
            inside = inside[1:-1]
            tags += ["B-name", *["I-name"] * (len(inside) - 1)]
        else:
            tags += ["O"] * len(inside)
        words += inside
    return Tagged(words, tags)


def _made_up() -> tuple[list[Tagged], ...]:
    """Texts in which the words of the last quarter of the vocabulary are entities."""
    rng = np.random.default_rng(29)

    def text() -> Tagged:
        words = rng.integers(0, _FAKE, rng.integers(4, 12))
        real = words >= 3 * _FAKE // 4
        after = np.pad(real[:-1], (1, 0))
        tags = np.where(real, np.where(after, "I-thing", "B-thing"), "O")
        return Tagged([f"w{word}" for word in words], tags.tolist())

    return tuple([text() for _ in range(n)] for n in (320, 40, 40))


def load(
    data: str = "",
    vocabulary: str = "",
    *,
    size: int = 2000,
    length: int = 128,
    fake: bool = False,
) -> EntitySet:
    """train, in rows of ``length``, validation and test, in rows as long as their longest text needs.

    Args:
        data: a folder with train.tsv, devel.tsv and test.tsv; by default the names in Python's help.
        vocabulary: a file of pieces, as BERT's ``vocab.txt``; by default ``size`` pieces are learned
            from the words for training, and know upper case from lower.
        fake: made-up texts with entities of one kind.

    Raises:
        UserError: a file is missing, or is not what it should be.
    """
    if fake:
        splits = _made_up()
        known = WordPieces((*SPECIAL, *(f"w{i}" for i in range(_FAKE))))
    else:
        splits = _read(data) if data else _named_in_help()
        if vocabulary:
            known = WordPieces.read(vocabulary)
        else:
            known = WordPieces.train((" ".join(x.words) for x in splits[0]), size, lower=False)
    names = tag_names(splits[0])
    train = tagged_rows(splits[0], names, known, length)
    validation, test = (tagged_rows(split, names, known) for split in splits[1:])
    return EntitySet(train, validation, test, names, known)


def _read(data: str) -> tuple[list[Tagged], ...]:
    for file in _FILES:
        if not Path(data, file).is_file():
            raise UserError(
                f"no file {str(Path(data, file))!r}: give a folder with {', '.join(_FILES)}, a word and "
                "its tag on each line, with --data FOLDER"
            )
    return tuple(read_tagged(Path(data, file)) for file in _FILES)
