"""Pairs of texts as examples: a source and a target, each with a vocabulary of its own or both with one,
and batches of pairs of about one length.
"""

import gzip
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dljax.data.pipeline import Examples, Pipeline
from dljax.data.sources.text import NO_TARGET, Words
from dljax.errors import UserError

PAD, BEGIN, END = 0, 1, 2
MARKS = ("<pad>", "<bos>", "<eos>", "<unk>")  # the first four tokens of a vocabulary
Pair = tuple[str, str]  # source and target, tokens apart by spaces


def vocabulary(texts: Iterable[str], least: int = 1) -> Words:
    """The four marks, then the tokens of ``texts`` in order of frequency, then of the alphabet.

    Args:
        least: number of times that a token occurs at least; others become ``<unk>``.
    """
    counts = Counter(token for text in texts for token in text.split())
    kept = [token for token, n in counts.items() if n >= least and token not in MARKS]
    return Words((*MARKS, *sorted(kept, key=lambda t: (-counts[t], t))))


def vocabularies(pairs: Sequence[Pair], least: int = 1) -> tuple[Words, Words]:
    """The vocabulary of the sources and that of the targets (see ``vocabulary``)."""
    return vocabulary((p[0] for p in pairs), least), vocabulary((p[1] for p in pairs), least)


@dataclass(frozen=True)
class Pairs:
    """Examples ``source`` int32 [longest] and ``target`` int32 [longest + 1] of pairs of texts.

    Each ends with END, the target also begins with BEGIN; PAD fills both up.

    Attributes:
        texts: source and target of each pair, tokens apart by spaces.
        source, target: vocabularies.
        longest: tokens of a side at most, with its END; by default as many as the longest has.

    Raises:
        UserError: a pair is longer than ``longest``; none is left out or cut unasked.
    """

    texts: Sequence[Pair]
    source: Words
    target: Words
    longest: int = 0

    def __post_init__(self):
        if self.longest and len(self.lengths) and self.longest < self.lengths.max():
            raise UserError(
                f"a pair of {self.lengths.max()} tokens does not fit {self.longest}: leave long pairs "
                "out, or take more tokens"
            )

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def lengths(self) -> np.ndarray:
        """Tokens of the longer side with its END, int64 [n]."""
        return np.array([1 + max(len(side.split()) for side in pair) for pair in self.texts], int)

    @cached_property
    def width(self) -> int:
        """Number of tokens of a side, filled up."""
        return self.longest or int(self.lengths.max(initial=1))

    @cached_property
    def _arrays(self) -> Examples:
        source = np.full((len(self), self.width), PAD, np.int32)
        target = np.full((len(self), self.width + 1), PAD, np.int32)
        target[:, 0] = BEGIN
        for i, (left, right) in enumerate(self.texts):
            for row, words, text in (
                (source[i], self.source, left),
                (target[i, 1:], self.target, right),
            ):
                tokens = words.encode(text)
                row[: len(tokens)], row[len(tokens)] = tokens, END
        return {"source": source, "target": target}

    def gather(self, indices: np.ndarray) -> Examples:
        return {name: array[indices] for name, array in self._arrays.items()}


@dataclass(frozen=True)
class Prompted:
    """Pairs as one sequence for a language model: ``tokens`` and ``targets`` int32 [2 * width] of the source,
    BEGIN, the target and END; no token of the source is a target.

    Attributes:
        pairs: with one vocabulary for both sides.
    """

    pairs: Pairs

    def __post_init__(self):
        if self.pairs.source.words != self.pairs.target.words:
            raise UserError(
                "pairs of two vocabularies: expected one for both sides (Parallel.joint)"
            )

    def __len__(self) -> int:
        return len(self.pairs)

    def gather(self, indices: np.ndarray) -> Examples:
        tokens = np.full((len(indices), 2 * self.pairs.width + 1), PAD, np.int32)
        counts = np.zeros(tokens.shape, bool)
        words = self.pairs.source
        for row, count, index in zip(tokens, counts, indices, strict=True):
            source, target = (words.encode(text) for text in self.pairs.texts[index])
            whole = np.concatenate([source, [BEGIN], target, [END]])
            row[: len(whole)] = whole
            count[len(source) + 1 : len(whole)] = True
        targets = np.where(counts, tokens, np.int32(NO_TARGET))
        return {"tokens": tokens[:, :-1], "targets": targets[:, 1:]}


class Parallel(NamedTuple):
    """Pairs for training and for validation, of the same two vocabularies."""

    train: Pairs
    validation: Pairs

    def joint(self) -> "Parallel":
        """The same pairs, with one vocabulary for both sides: the marks, then both in turn."""
        words = (*self.train.source.words, *self.train.target.words[len(MARKS) :])
        both = Words(tuple(dict.fromkeys(words)))
        return Parallel(*(Pairs(p.texts, both, both, p.longest) for p in self))


def read_lines(file: Path) -> list[str]:
    """Lines of a UTF-8 text file, or of its gzip file where that is there instead.

    Raises:
        UserError: neither can be read, or is no such text.
    """
    packed = file.with_name(f"{file.name}.gz")
    try:
        data = file.read_bytes() if file.is_file() else gzip.decompress(packed.read_bytes())
        return data.decode("utf-8").split("\n")[: -1 if data.endswith(b"\n") else None]
    except FileNotFoundError:
        raise UserError(f"no file {str(file)!r}, nor {packed.name}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{file} cannot be read: {error}") from None
    except UnicodeDecodeError:
        raise UserError(f"{file} is not UTF-8 text") from None


def read_pairs(source: Path, target: Path) -> list[Pair]:
    """Lines of two files, aligned.

    Raises:
        UserError: they have different numbers of lines, or cannot be read.
    """
    left, right = read_lines(source), read_lines(target)
    if len(left) != len(right):
        raise UserError(
            f"{source} has {len(left)} lines and {target} has {len(right)}: expected a line of one for "
            "each line of the other"
        )
    return list(zip(left, right, strict=True))


@dataclass(frozen=True)
class Bucketed(Pipeline):
    """Batches of pairs of about one length, cut to the least of a few widths that holds them.

    An epoch's pairs are shuffled, then sorted by length, cut into batches, and the batches shuffled; the
    few pairs that fill no batch are others in every epoch. The step is compiled once for each width.

    Attributes:
        source: ``Pairs``.
        widths: tokens of a side, ascending; the source's own width is one of them in any case.
    """

    widths: Sequence[int] = ()
    _orders: dict = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self):
        super().__post_init__()
        if not isinstance(self.source, Pairs):
            raise UserError(f"buckets of {type(self.source).__name__}: expected Pairs")
        if len(self.source) < self.size:
            raise UserError(f"batches of {self.size} from {len(self.source)} pairs: expected more")

    def _order(self, epoch: int) -> np.ndarray:
        """Indices of an epoch's pairs, [batches, size]."""
        if epoch not in self._orders:
            rng = np.random.default_rng([self.seed, epoch])
            shuffled = rng.permutation(len(self.source))
            shuffled = shuffled[: len(shuffled) // self.size * self.size]
            lengths = self.source.lengths[shuffled]  # type: ignore[attr-defined]
            batches = shuffled[np.argsort(lengths, kind="stable")].reshape(-1, self.size)
            while len(self._orders) > 1:  # two epochs are in use where a feeder runs ahead
                self._orders.pop(next(iter(self._orders)), None)
            self._orders[epoch] = batches[rng.permutation(len(batches))]
        return self._orders[epoch]

    def indices(self, step: int, rows: slice = slice(None)) -> np.ndarray:
        """Indices of the pairs in (these rows of) the batch of ``step``, int64 [rows]."""
        epoch, at = divmod(step, len(self.source) // self.size)
        return self._order(epoch)[at][rows]

    def width(self, step: int) -> int:
        """Tokens of a side in the batch of ``step``, on whatever rows of it one looks."""
        pairs: Pairs = self.source  # type: ignore[assignment]
        longest = pairs.lengths[self.indices(step)].max()
        return min((w for w in self.widths if w >= longest), default=pairs.width)

    def batch(self, step: int, rows: slice = slice(None)) -> Examples:
        """The global batch of ``step``, or the given rows of it."""
        width, examples = self.width(step), super().batch(step, rows)
        cut = {"source": width, "target": width + 1}
        return {name: x[:, : cut[name]] if name in cut else x for name, x in examples.items()}


def padding(data: Pipeline, steps: int) -> float:
    """The share of places of both sides that are filled up, over the first ``steps`` batches."""
    filled = places = 0
    for step in range(steps):
        batch = data.batch(step)
        for side in (batch["source"], batch["target"][:, 1:]):
            filled, places = filled + int((side == PAD).sum()), places + side.size
    return filled / places
