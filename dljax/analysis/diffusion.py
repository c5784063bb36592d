"""Looks at diffusion models: guidance, samplers with few steps, likelihood."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from dljax.analysis import charts
from dljax.analysis.distances import energy_distance
from dljax.analysis.neighbors import nearest
from dljax.data.pipeline import EvalSet
from dljax.types import Array, Key, PyTree, Sample, Variables


def spread_within(images: np.ndarray, label: np.ndarray) -> float:
    """The mean distance between two images of one label, a mean over the labels that have two."""
    found = []
    for one in np.unique(label):
        x = np.asarray(images)[label == one].reshape(np.sum(label == one), -1)
        if len(x) > 1:
            apart = np.sqrt(((x[:, None] - x[None]) ** 2).sum(-1))
            found.append(apart.sum() / (len(x) * (len(x) - 1)))
    return float(np.mean(found)) if found else 0.0


@dataclass(frozen=True)
class Faithful:
    """A look: whether samples of classes are of their classes, and as varied as the real ones.

    "consistency" is the share of samples whose nearest training image is of their class; "energy"
    the energy distance to a set; "spread" the mean distance of two samples of a class, as a share of
    the set's own.

    Attributes:
        sample: of a task with classes: image i is of class i modulo their number. Images in 0..1.
        classes: their number.
        known, data: ``image`` in 0..1 and ``label``, of training and held out.
        n: number of samples, at most that of ``data``.
    """

    sample: Sample
    classes: int
    known: EvalSet
    data: EvalSet
    n: int = 200

    def __call__(self, variables: Variables, key: Key) -> Mapping[str, float]:
        n = min(self.n, len(self.data.source))
        real = next(self.data.batches(n))
        known = next(self.known.batches(len(self.known.source)))
        made = np.asarray(self.sample(variables, key, n))
        label = np.arange(n) % self.classes
        guess = np.asarray(known["label"])[nearest(made, known["image"]).which[:, 0]]
        spreads = spread_within(made, label), spread_within(real["image"], real["label"])
        return {
            "consistency": float((guess == label).mean()),
            "energy": float(energy_distance(real["image"], made)),
            "spread": spreads[0] / max(spreads[1], 1e-12),
        }


@dataclass(frozen=True)
class OverScales:
    """A look: the numbers of another look over the scale of guidance, a panel each.

    Attributes:
        look: scale -> the look.
    """

    look: Callable[[float], Callable[[Variables, Key], Mapping[str, float]]]
    scales: Sequence[float]

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        found = {scale: self.look(scale)(variables, key) for scale in self.scales}
        names = found[self.scales[0]]
        panels = {name: {"": [(s, [found[s][name]]) for s in self.scales]} for name in names}
        return charts.against(panels, xlabel="scale of guidance")


@dataclass(frozen=True)
class OverSteps:
    """A look: how far samplers of few steps end from where many steps go from the same noise.

    The root mean square over pixels, over the number of steps.

    Attributes:
        samplers: name -> (steps -> the sample of a task).
        best: name of the sampler that says where many steps go.
        many: steps of the best; the set counts as solved there.
    """

    samplers: Mapping[str, Callable[[int], Sample]]
    best: str
    steps: Sequence[int] = (5, 10, 20, 50, 100)
    many: int = 500
    n: int = 32

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        right = np.asarray(self.samplers[self.best](self.many)(variables, key, self.n))

        def error(sample: Sample) -> float:
            return float(
                np.sqrt(np.mean((np.asarray(sample(variables, key, self.n)) - right) ** 2))
            )

        lines = {
            name: [(float(steps), [error(of(steps))]) for steps in self.steps]
            for name, of in self.samplers.items()
        }
        return charts.against({"error of the samples": lines}, xlabel="steps")


@dataclass(frozen=True)
class Likelihood:
    """A look: "bits" per dimension of a set, and the parts of that bound.

    "decoder" is the first time's part and "prior" the last one's; the rest is "diffusion".

    Attributes:
        bound: of ``likelihood.bits_per_dimension``.
        data: ``image`` in -1..1.
        n: number of its images, from the first on.
    """

    bound: Callable[[PyTree, Array, Key], Any]
    data: EvalSet
    n: int = 64

    def __call__(self, variables: Variables, key: Key) -> Mapping[str, float]:
        image = next(self.data.batches(min(self.n, len(self.data.source))))["image"]
        terms = np.asarray(self.bound(variables, jax.numpy.asarray(image), key), np.float64)
        parts = {"decoder": terms[:, 0], "diffusion": terms[:, 1:-1].sum(1), "prior": terms[:, -1]}
        numbers = {name: float(x.mean()) for name, x in parts.items()}
        return {"bits": functools.reduce(float.__add__, numbers.values()), **numbers}
