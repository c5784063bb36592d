"""Data as a function of the step: ``Pipeline.batch(step)`` depends on (seed, step) and nothing else.

So a resumed run needs no iterator's state, and a run may go on with another number of processes:
each asks for its own rows of the same global batch.
"""

import functools
import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dljax.errors import UserError

Examples = dict[str, np.ndarray]
# (examples, one uint64 seed per row) -> examples
Transform = Callable[[Examples, np.ndarray], Examples]


class Source(Protocol):
    """A fixed number of examples, any of which can be gathered by index.

    Some sources say more, by an attribute of the class or the object:

    - ``per``: examples to a row. Small graphs share a padded row, a *pack*: ``gather`` takes
      ``rows * per`` indices, -1 for no example, and returns arrays whose leading axis is packs.
    - ``whole = True``: one example without an axis of rows, as a graph whose nodes are classified.
      Every device is given all of it.
    - ``names``: of the classes, in the order of their numbers.
    - ``ordered``: number of rows that a batch must have, unshuffled, since each row goes on from the same
      row of the batch before.
    """

    def __len__(self) -> int: ...

    def gather(self, indices: np.ndarray) -> Examples: ...


@dataclass(frozen=True)
class Arrays:
    """Examples held in memory: named arrays with one leading axis in common.

    Attributes:
        names: of the classes, where there are any.

    Raises:
        UserError: there is no array, one without axes, or two of different lengths.
    """

    arrays: Mapping[str, np.ndarray]
    names: Sequence[str] = ()

    def __post_init__(self):
        if not self.arrays:
            raise UserError("a dataset of no arrays: expected at least one, {name: array}")
        shapes: dict[str, tuple[int, ...]] = {
            name: getattr(array, "shape", ()) for name, array in self.arrays.items()
        }
        scalars = [name for name, shape in shapes.items() if not shape]
        if scalars:
            raise UserError(
                f"{scalars[0]!r} is no array of examples: expected a leading axis of them"
            )
        if len({shape[0] for shape in shapes.values()}) > 1:
            lengths = ", ".join(f"{name} {shape[0]}" for name, shape in shapes.items())
            raise UserError(
                f"arrays of different lengths ({lengths}): expected one row per example"
            )

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def gather(self, indices: np.ndarray) -> Examples:
        return {name: array[indices] for name, array in self.arrays.items()}

    def named(self, names: Sequence[str]) -> "Arrays":
        """The same examples, with names of their classes."""
        return Arrays(self.arrays, names)


def unchanged(examples: Examples, seeds: np.ndarray) -> Examples:
    """Leave the examples as they are: the default transform."""
    return examples


# Randomness: a function of numbers, never of a generator's state


def _mix(x: np.ndarray) -> np.ndarray:
    """SplitMix64's finalizer (Steele et al. 2014): a bijection of uint64 that scatters its bits."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def derived(seeds: np.ndarray, name: str) -> np.ndarray:
    """Derive other seeds, uint64, for the draw called ``name``: one for each of ``seeds``."""
    return _mix(seeds ^ np.uint64(zlib.crc32(name.encode()) * 0x9E3779B97F4A7C15 % 2**64))


def uniform(seeds: np.ndarray, name: str) -> np.ndarray:
    """Draw a float64 in [0, 1) for each of these seeds, independent of draws of other names."""
    return (derived(seeds, name) >> np.uint64(11)) * 2.0**-53


@functools.lru_cache(maxsize=4)
def _salt(seed: int) -> np.ndarray:
    return _mix(np.array([seed], np.uint64))


# A set below this size is shuffled by a table (8 bytes an example), a larger one by a keyed bijection.
# The two give different orders, so moving this limit changes the runs of the sets between.
_TABLE = 2**20
_ROUNDS = 8


@functools.lru_cache(maxsize=4)
def _table(seed: int, epoch: int, n: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(n)


def _bijection(seed: int, epoch: int, n: int, positions: np.ndarray) -> np.ndarray:
    """Permutation of 0 .. n-1 at the given positions, int64, computed for these alone.

    A Feistel network over pairs (left < a, right < b), in which each half is shifted in turn by a
    hash of the other; a pair past the end, of which there are fewer than sqrt(n), goes through it
    again until it is inside (Black & Rogaway 2002, Ciphers with Arbitrary Finite Domains).
    """
    a = math.isqrt(n - 1) + 1
    sides = np.uint64(a), np.uint64(-(-n // a))
    key = _mix(_salt(seed) + np.uint64(epoch))
    keys = [_mix(key + np.uint64(i)) for i in range(_ROUNDS)]

    def network(x: np.ndarray) -> np.ndarray:
        halves = list(np.divmod(x, sides[1]))
        for i, round_key in enumerate(keys):
            this, other = i % 2, 1 - i % 2
            shift = _mix(halves[other] ^ round_key) % sides[this]
            halves[this] = (halves[this] + shift) % sides[this]
        return halves[0] * sides[1] + halves[1]

    out = network(positions.astype(np.uint64))
    while (outside := out >= n).any():
        out[outside] = network(out[outside])
    return out.astype(np.int64)


def _shuffled(seed: int, epoch: int, n: int, start: int, stop: int) -> np.ndarray:
    """Examples at positions ``start`` to ``stop`` of the order of one epoch."""
    if n < _TABLE:
        return _table(seed, epoch, n)[start:stop]
    return _bijection(seed, epoch, n, np.arange(start, stop))


@dataclass(frozen=True)
class Pipeline:
    """Batches for training: epochs of shuffled examples laid end to end and cut into batches.

    Every example occurs once per epoch, also where a batch spans two epochs.

    Attributes:
        source: where examples come from.
        size: rows of the global batch, which are examples, or packs of the source's ``per`` examples.
        seed: of the order and of the transform's randomness, 0 to 2**32 - 1.
        transform: of the gathered examples (augmentation, normalization).
        shuffle: False keeps the source's order.
    """

    source: Source
    size: int
    seed: int = 0
    transform: Transform = unchanged
    shuffle: bool = True

    def __post_init__(self):
        if self.size != int(self.size) or self.size < 1:
            raise UserError(f"batch {self.size}: expected a whole number above 0")
        if not 0 <= self.seed < 2**32:
            raise UserError(f"seed {self.seed} of a pipeline: expected 0 to {2**32 - 1}")
        if len(self.source) < 1:
            raise UserError("the dataset is empty: nothing to train on")
        if self.whole and self.size != 1:
            raise UserError(f"batch {self.size} of a whole graph, which is one example: expected 1")
        rows = getattr(self.source, "ordered", self.size)
        if self.size != rows or (hasattr(self.source, "ordered") and self.shuffle):
            given = f"batch {self.size}" + (", shuffled" if self.shuffle else "")
            raise UserError(
                f"{given}, of {rows} streams that go on from batch to batch: expected Pipeline(streams, "
                f"{rows}, shuffle=False)"
            )

    @property
    def whole(self) -> bool:
        """True where the batch is one whole example, for every device, instead of rows to divide."""
        return getattr(self.source, "whole", False)

    @property
    def constant(self) -> bool:
        """True where every step has the same batch: all examples in order, untransformed."""
        ordered = len(self.source) == 1 or not self.shuffle
        return ordered and len(self.source) == self._examples and self.transform is unchanged

    @property
    def _examples(self) -> int:
        """Examples in a batch."""
        return self.size * getattr(self.source, "per", 1)

    def steps(self, epochs: float) -> int:
        """Number of batches in ``epochs``, at least 1."""
        return max(1, round(epochs * len(self.source) / self._examples))

    def indices(self, step: int, rows: slice = slice(None)) -> np.ndarray:
        """Indices of the examples in (these rows of) the batch of ``step``, int64 [rows * per]."""
        n, start = len(self.source), step * self._examples
        stop = start + self._examples
        if self.shuffle:
            pieces = [
                _shuffled(self.seed, epoch, n, max(0, start - epoch * n), min(n, stop - epoch * n))
                for epoch in range(start // n, -(-stop // n))
            ]
            examples = np.concatenate(pieces)
        else:
            examples = np.arange(start, stop) % n
        return examples.reshape(self.size, -1)[rows].ravel()

    def batch(self, step: int, rows: slice = slice(None)) -> Examples:
        """The global batch of ``step``, or the given rows of it."""
        examples = self.source.gather(self.indices(step, rows))
        positions = np.arange(step * self.size, (step + 1) * self.size, dtype=np.uint64)[rows]
        seeds = _mix(positions + _salt(self.seed))
        return self.transform(examples, seeds)


def in_order(source: Source, rows: np.ndarray) -> np.ndarray:
    """Indices of the examples in these rows of an unshuffled source, int64 [rows * per].

    Past the end a row repeats the last example, and a pack holds none (-1).
    """
    per, last = getattr(source, "per", 1), len(source) - 1
    if per == 1:
        return np.minimum(rows, last)
    at = (rows[:, None] * per + np.arange(per)).ravel()
    return np.where(at <= last, at, -1)


@dataclass(frozen=True)
class EvalSet:
    """Every example once, in order.

    Attributes:
        source: where examples come from.
        transform: of the gathered examples; a row's seed is its position.
    """

    source: Source
    transform: Transform = unchanged

    def __post_init__(self):
        if len(self.source) < 1:
            raise UserError("the dataset is empty: nothing to evaluate on")

    @property
    def whole(self) -> bool:
        """True where the one batch is one whole example, for every device."""
        return getattr(self.source, "whole", False)

    def batches(self, size: int) -> Iterator[Examples]:
        """Batches of equal length, the last one padded.

        ``mask``, float32 [rows], is 1 where a row counts and 0 where it pads; a source's own ``mask``
        [rows, ...] is 0 in the rows that pad. A whole example is one batch, as its source has it.

        Args:
            size: rows (examples, or packs) of a batch; at most as many as there are.
        """
        if size < 1:
            raise UserError(f"batches of {size}: expected a whole number above 0")
        if self.whole:
            yield self.transform(self.source.gather(np.arange(1)), np.zeros(1, np.uint64))
            return
        rows = -(-len(self.source) // getattr(self.source, "per", 1))
        size = min(size, rows)
        for start in range(0, rows, size):
            at = np.arange(start, start + size)
            examples = self.source.gather(in_order(self.source, at))
            examples = self.transform(examples, at.astype(np.uint64))
            mask = (at < rows).astype(np.float32)
            if "mask" in examples:
                own = examples["mask"]
                mask = mask.reshape(-1, *[1] * (own.ndim - 1)) * own
            yield {**examples, "mask": mask}


def extremes(data: Pipeline | EvalSet) -> Examples:
    """A batch of two rows, with the smallest and the largest label where they are held in memory.

    By these a set can be told to fit a model without reading all of it. The first batch, where rows
    are no examples.
    """
    source = data.source
    if data.whole or getattr(source, "per", 1) > 1:
        return data.batch(0) if isinstance(data, Pipeline) else next(data.batches(2))
    at = np.array([0, len(source) - 1])
    label = getattr(source, "arrays", {}).get("label")
    if label is not None and label.dtype.kind in "iu" and label.size:
        flat = label.reshape(len(label), -1)
        at = np.array([flat.min(1).argmin(), flat.max(1).argmax()])
    return data.transform(source.gather(at), np.arange(2, dtype=np.uint64))
