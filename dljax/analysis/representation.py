"""The looks at a network that has learned without labels."""

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from dljax.analysis.codes import Alike, Probe
from dljax.analysis.pictures import grid
from dljax.analysis.predictions import Predicts
from dljax.data import subsets
from dljax.data.image_sets import Crops
from dljax.data.pipeline import EvalSet
from dljax.experiment import Look
from dljax.types import Array, InitVariables, Key, Variables

_LABELS = 100, 1000
_CLASSES = 100  # of more, a probe would take hours


def looks(task: Predicts, init: InitVariables, found: Crops, seed: int = 0) -> dict[str, Look]:
    """Looks by name: "probe_100" and "probe_1000" (``codes.Probe`` of so many labels, drawn by the seed) and
    "alike" (``codes.Alike``); none where there are more than a hundred classes.

    Args:
        task: predicts the representation.
        init: of the task.
    """
    if found.classes > _CLASSES:
        return {}
    test = EvalSet(found.test, found.plain)
    named: dict[str, Look] = {"alike": Alike(task, EvalSet(found.train, found.plain), test)}
    for n in _LABELS:
        known = EvalSet(subsets.drawn(found.train, n, seed), found.plain)
        named[f"probe_{n}"] = Probe(task, known, test, n, init=init)
    return named


@dataclass(frozen=True)
class Masked:
    """A look: rows of a set's first images as an encoder sees them, as they are restored, as they are.

    Attributes:
        fill: (variables, image, key) -> (image with its hidden patches gray, restored image).
        data: ``image`` in 0..1.
        n: images in a row.
        enlarge: pixels per pixel, along each side.
    """

    fill: Callable[[Variables, Array, Key], tuple[Array, Array]]
    data: EvalSet
    n: int = 12
    enlarge: int = 3

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        image = next(self.data.batches(self.n))["image"]
        rows = *self.fill(variables, jnp.asarray(image), key), image
        return grid(np.concatenate(rows), len(image), enlarge=self.enlarge)
