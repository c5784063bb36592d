"""Prose in word pieces: the English texts of Python's own help (see ``topics``), or any text file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dljax.data import fake as fake_data
from dljax.data.datasets import topics
from dljax.data.pipeline import Examples
from dljax.data.sources.text import Text, read_text
from dljax.data.sources.word_pieces import SPECIAL, WordPieces
from dljax.errors import UserError


def load(data: str = "", vocabulary: str = "", *, size: int = 2000, fake: bool = False) -> Text:
    """The first 90 % for training, the rest for validation.

    Args:
        data: a text file; by default the help.
        vocabulary: a file of pieces, as BERT's ``vocab.txt``, or the folder that holds it; by default
            ``size`` pieces are learned from the text for training.
        fake: made-up text over ``size`` pieces.

    Raises:
        UserError: a file is missing, or is not what it should be.
    """
    if fake:
        pieces = WordPieces((*SPECIAL, *(f"w{i}" for i in range(len(SPECIAL), size))))
        tokens = fake_data.text(40_000, size - len(SPECIAL)) + np.int32(len(SPECIAL))
        return Text(tokens[:36_000], tokens[36_000:], pieces)
    for file in filter(None, (data, vocabulary)):
        if not Path(file).exists():
            raise UserError(f"no file {file!r}: give a text with --data FILE, or leave it out")
    text = read_text(Path(data)) if data else topics.whole()
    # Between words, and between paragraphs if possible.
    cut = len(text) * 9 // 10
    cut = max(text.rfind("\n\n", 0, cut), text.rfind(" ", 0, cut))
    parts = [[line for line in part.split("\n") if line] for part in (text[:cut], text[cut:])]
    if vocabulary:
        known = WordPieces.read(vocabulary)
    else:
        known = WordPieces.train(parts[0], size)
    train, validation = (
        np.concatenate([np.zeros(0, np.int32), *known.encode_all(lines)]) for lines in parts
    )
    return Text(train, validation, known)


def unigram(text: Text) -> float:
    """Nats per token of the validation text under the frequencies in the training text, one added to each."""
    counts = np.bincount(text.train, minlength=len(text.vocabulary)) + 1
    return float(-np.mean(np.log(counts / counts.sum())[text.validation]))


@dataclass(frozen=True)
class Stretches:
    """Examples ``tokens`` int32 [length]: stretches of a long sequence of word pieces, each between [CLS] and
    [SEP].

    One example per ``stride`` pieces of the sequence; by default the stretches do not overlap, and the
    last one is filled up with [PAD].

    Raises:
        UserError: the sequence is empty, or a row has no room for a piece.
    """

    sequence: np.ndarray
    vocabulary: WordPieces
    length: int
    stride: int = 0

    def __post_init__(self):
        if self.length < 3 or not len(self.sequence):
            raise UserError(
                f"rows of {self.length} tokens of a text of {len(self.sequence)}: expected 3 or more, "
                "between [CLS] and [SEP], and a text"
            )

    @property
    def _room(self) -> int:
        return self.length - 2

    def __len__(self) -> int:
        return -(-len(self.sequence) // (self.stride or self._room))

    def gather(self, indices: np.ndarray) -> Examples:
        special, stride = self.vocabulary.special, self.stride or self._room
        at = np.asarray(indices)[:, None] * stride + np.arange(self._room)
        inside = at < len(self.sequence)
        text = self.sequence[np.minimum(at, len(self.sequence) - 1)]
        tokens = np.full((len(at), self.length), special.padding, np.int32)
        tokens[:, 0] = special.first
        tokens[:, 1:-1] = np.where(inside, text, special.padding)
        tokens[np.arange(len(at)), 1 + inside.sum(1)] = special.last
        return {"tokens": tokens}
