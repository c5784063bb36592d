"""Looks at a codebook: how much of it is used."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from dljax.analysis import charts
from dljax.analysis.latents import Encoder
from dljax.analysis.predictions import predict
from dljax.data.pipeline import EvalSet
from dljax.tasks.codebook import perplexity
from dljax.types import Array, Batch, Key, Variables

Codes = Callable[[Variables, Batch], Array]  # (variables, images) -> codes int32 [b, i, j]


@dataclass(frozen=True)
class Usage:
    """A look: "perplexity" of the codes of a set's images, and "used", the number of codes that occur in them.

    Attributes:
        codes: of ``tasks.codebook``.
        data: ``image`` in 0..1.
        n: number of images, the first of the set.
    """

    codes: Codes
    data: EvalSet
    n: int = 1000

    def __call__(self, variables: Variables, key: Key) -> Mapping[str, float]:
        counts = _counts(self.codes, variables, self.data, self.n)
        return {"perplexity": float(perplexity(counts / counts.sum())), "used": (counts > 0).sum()}


@dataclass(frozen=True)
class Shares:
    """A look: the share of a set's places that each code has, the most used first, as a chart.

    Attributes:
        codes, data, n: of ``Usage``.
        size: number of codes in the codebook.
    """

    codes: Codes
    data: EvalSet
    size: int
    n: int = 1000

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        counts = _counts(self.codes, variables, self.data, self.n)
        return charts.ranked(counts / counts.sum(), self.size, ylabel="share of the places")


def _counts(codes: Codes, variables: Variables, data: EvalSet, n: int) -> np.ndarray:
    """Number of places that have each code, float64, up to the last code that occurs."""
    of_set = predict(Encoder(codes), variables, data, n).outputs
    return np.bincount(np.ravel(of_set)).astype(np.float64)
