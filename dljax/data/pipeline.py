"""Data as a function of the step: ``Pipeline.batch(step)`` depends on (seed, step) and nothing else.

So a resumed run needs no iterator's state, and a run may go on with another number of processes:
each asks for its own rows of the same global batch.
"""

import functools
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dljax.errors import UserError

Examples = dict[str, np.ndarray]
# (examples, one uint64 seed per example) -> examples
Transform = Callable[[Examples, np.ndarray], Examples]


class Source(Protocol):
    """A fixed number of examples, any of which can be gathered by index."""

    def __len__(self) -> int: ...

    def gather(self, indices: np.ndarray) -> Examples: ...


@dataclass(frozen=True)
class Arrays:
    """Examples held in memory: named arrays with one leading axis in common."""

    arrays: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def gather(self, indices: np.ndarray) -> Examples:
        return {name: array[indices] for name, array in self.arrays.items()}


def unchanged(examples: Examples, seeds: np.ndarray) -> Examples:
    return examples


def _mix(x: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser (Steele et al. 2014): a bijection of uint64 that scatters its bits."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def uniform(seeds: np.ndarray, name: str) -> np.ndarray:
    """One float64 in [0, 1) per example: the draw called ``name`` of these seeds, for transforms."""
    salt = np.uint64(zlib.crc32(name.encode()) * 0x9E3779B97F4A7C15 % 2**64)
    return (_mix(seeds ^ salt) >> np.uint64(11)) * 2.0**-53


@functools.lru_cache(maxsize=4)
def _salt(seed: int) -> np.ndarray:
    return _mix(np.array([seed], np.uint64))


@functools.lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, size: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(size)


@dataclass(frozen=True)
class Pipeline:
    """Batches for training: epochs of shuffled examples laid end to end and cut into batches.

    Every example occurs once per epoch, also where a batch spans two epochs.

    Attributes:
        source: where examples come from.
        size: the global batch.
        seed: of the order and of the transform's randomness.
        transform: of the gathered examples (augmentation, normalisation).
        shuffle: False keeps the source's order.
    """

    source: Source
    size: int
    seed: int = 0
    transform: Transform = unchanged
    shuffle: bool = True

    def __post_init__(self):
        if self.size < 1:
            raise UserError(f"batch {self.size}: expected a whole number above 0")
        if len(self.source) < 1:
            raise UserError("the dataset is empty: nothing to train on")

    @property
    def whole(self) -> bool:
        return getattr(self.source, "whole", False)

    def extremes(self) -> Examples:
        return self.batch(0)

    @property
    def constant(self) -> bool:
        """Is every step's batch the same one: all examples in order, as they are?"""
        same = len(self.source) == self.size and not self.shuffle
        return same and self.transform is unchanged

    def steps(self, epochs: float) -> int:
        """The number of batches in ``epochs``, at least 1."""
        return max(1, round(epochs * len(self.source) / self.size))

    def indices(self, step: int, rows: slice = slice(None)) -> np.ndarray:
        """Which examples make up (these rows of) the batch of ``step``."""
        start, n = step * self.size, len(self.source)
        stop = start + self.size
        if not self.shuffle:
            return (np.arange(start, stop) % n)[rows]
        pieces = [
            _permutation(self.seed, epoch, n)[max(0, start - epoch * n) : stop - epoch * n]
            for epoch in range(start // n, -(-stop // n))
        ]
        return np.concatenate(pieces)[rows]

    def batch(self, step: int, rows: slice = slice(None)) -> Examples:
        """The global batch of ``step``, or the given rows of it."""
        examples = self.source.gather(self.indices(step, rows))
        positions = np.arange(step * self.size, (step + 1) * self.size, dtype=np.uint64)[rows]
        seeds = _mix(positions + _salt(self.seed))
        return self.transform(examples, seeds)


@dataclass(frozen=True)
class EvalSet:
    """Every example once, in order, in batches of equal size: the last is padded, and ``mask`` [b]
    is 1 where an example counts. A source's own ``mask`` (the share of a window that has targets, the
    nodes of a graph that count) is multiplied in.
    """

    source: Source
    transform: Transform = unchanged

    @property
    def whole(self) -> bool:
        return getattr(self.source, "whole", False)

    def extremes(self, size: int) -> Examples:
        return next(self.batches(size))

    def batches(self, size: int) -> Iterator[Examples]:
        total = len(self.source)
        size = min(size, total)
        for start in range(0, total, size):
            positions = np.arange(start, start + size)
            examples = self.source.gather(np.minimum(positions, total - 1))
            examples = self.transform(examples, positions.astype(np.uint64))
            counts = (positions < total).astype(np.float32)
            yield {**examples, "mask": counts * examples.get("mask", np.float32(1))}
