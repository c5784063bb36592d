"""Samples beside the real images nearest to them: do they copy, are all kinds there, are they of the class
that was asked for?
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dljax.analysis.distances import distances
from dljax.analysis.pictures import in_turn
from dljax.data.pipeline import EvalSet
from dljax.errors import UserError
from dljax.types import Array, Key, Sample, Variables

_BATCH = 500


class Nearest(NamedTuple):
    """The nearest of other examples.

    Attributes:
        which: int [n, k] among them, the nearest first.
        distance: float32 [n, k], Euclidean.
    """

    which: np.ndarray
    distance: np.ndarray


@partial(jax.jit, static_argnums=2)
def _nearest(x: Array, y: Array, k: int) -> tuple[Array, Array]:
    far, index = jax.lax.top_k(-distances(x, y), k)
    return index, -far


def nearest(x, y, k: int = 1) -> Nearest:
    """The ``k`` nearest of ``y`` [m, ...] to each of ``x`` [n, ...].

    Raises:
        UserError: fewer than ``k`` in ``y``.
    """
    if len(y) < k:
        raise UserError(f"the {k} nearest of {len(y)} examples: expected {k} or more")
    x, y = (np.asarray(a, np.float32).reshape(len(a), -1) for a in (x, y))
    parts = [
        jax.tree.map(np.asarray, _nearest(x[i : i + _BATCH], y, k))
        for i in range(0, len(x), _BATCH)
    ]
    return Nearest(*map(np.concatenate, zip(*parts, strict=True)))


def density_and_coverage(made, real, k: int = 5) -> dict[str, float]:
    """ "density" and "coverage" of made examples [n, ...] beside real ones [m, ...].

    Naeem et al. 2020, arXiv:2002.09797, section 3.3. Around each real example is a ball that reaches to its
    k-th nearest real one. Density is the mean number of balls that a made example is in, by k: quality,
    1 where the two are alike. Coverage is the part of the balls with a made example in them: diversity,
    about 1 - 2^-k where the two are alike and n = m; collapse shows here.
    """
    radius = nearest(real, real, k + 1).distance[:, -1]  # each is the nearest to itself
    made, real = (np.asarray(a, np.float32).reshape(len(a), -1) for a in (made, real))
    inside = np.asarray(distances(jnp.asarray(real), jnp.asarray(made))) <= radius[:, None]
    return {
        "density": float(inside.sum() / (k * len(made))),
        "coverage": float(inside.any(1).mean()),
    }


def novelty(made, train, test) -> float:
    """The median distance of made examples to their nearest training example, by that of test examples.

    Near 0 the samples are copies; at 1 they are as far from the training set as new examples are.
    """
    own, new = (np.median(nearest(x, train).distance) for x in (made, test))
    return float(own / max(new, 1e-12))


@dataclass(frozen=True)
class Neighbors:
    """A look: "density", "coverage" and "novelty" of samples, and where they were asked for by class
    "consistency", the part whose nearest training example is of that class.

    Attributes:
        sample: of a task; images in 0..1.
        train, test: ``image`` in ``low``..1, and ``label`` where there are classes.
        n: number of samples and of test examples, at most as many as there are.
        limit: number of training examples.
        low: pixel value of black in the sets.
        classes: number of classes, where samples are of the classes 0, 1, ... in turn.
    """

    sample: Sample
    train: EvalSet
    test: EvalSet
    n: int = 1000
    limit: int = 10_000
    low: float = 0.0
    classes: int = 0

    def __call__(self, variables: Variables, key: Key) -> Mapping[str, float]:
        n = min(self.n, len(self.test.source))
        train = next(self.train.batches(self.limit))
        known, new = (
            (np.asarray(x) - self.low) / (1 - self.low)
            for x in (train["image"], next(self.test.batches(n))["image"])
        )
        made = np.asarray(self.sample(variables, key, n))
        found = {**density_and_coverage(made, new), "novelty": novelty(made, known, new)}
        if self.classes:
            guess = np.asarray(train["label"])[nearest(made, known).which[:, 0]]
            found["consistency"] = float((guess == np.arange(n) % self.classes).mean())
        return found


@dataclass(frozen=True)
class Copies:
    """A look: rows of samples, and below each row the training images nearest to them.

    Attributes:
        sample: of a task; images in 0..1.
        train: ``image`` in ``low``..1.
        n: number of samples.
        columns: samples in a row.
        limit: number of training images.
        low: pixel value of black in ``train``.
        enlarge: pixels per pixel, along each side.
    """

    sample: Sample
    train: EvalSet
    n: int = 20
    columns: int = 10
    limit: int = 10_000
    low: float = 0.0
    enlarge: int = 2

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        image = next(self.train.batches(self.limit))["image"]
        known = (np.asarray(image) - self.low) / (1 - self.low)
        made = np.asarray(self.sample(variables, key, self.n))
        twins = known[nearest(made, known).which[:, 0]]
        return in_turn((made, twins), self.columns, enlarge=self.enlarge)
