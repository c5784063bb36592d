"""Looks for networks from images to images: what they make, beside the truth; and whose truth it looks like."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dljax.analysis.neighbors import nearest
from dljax.analysis.pictures import grid
from dljax.analysis.predictions import Predicts, predict
from dljax.data.pipeline import EvalSet
from dljax.types import Key, Variables


@dataclass(frozen=True)
class Translated:
    """A look: rows of a set's first images, of what is made of them, and of their targets.

    Attributes:
        data: ``image`` and ``target`` in -1..1.
    """

    task: Predicts
    data: EvalSet
    n: int = 12
    enlarge: int = 2

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        examples, made = predict(self.task, variables, self.data, self.n)
        rows = np.concatenate([examples["image"], made, examples["target"]])
        return grid((rows + 1) / 2, len(made), enlarge=self.enlarge)


def retrieved(made: np.ndarray, target: np.ndarray) -> np.ndarray:
    """True where an image's nearest target is its own, bool [n]; by the Euclidean distance of pixels.

    Args:
        made, target: [n, ...].
    """
    return nearest(made, target).which[:, 0] == np.arange(len(made))


@dataclass(frozen=True)
class TranslationScores:
    """A look: "l1" (mean |difference| to the target, of values in 0..1) and "retrieval" (share of images whose
    nearest target is their own); "untouched_l1" and "untouched_retrieval" of the given images as they are.

    Attributes:
        data: ``image`` and ``target`` in -1..1.
        n: images, from the first on.
    """

    task: Predicts
    data: EvalSet
    n: int = 512

    def __call__(self, variables: Variables, key: Key) -> Mapping[str, float]:
        examples, made = predict(self.task, variables, self.data, self.n)
        target, out = examples["target"], {}
        for name, image in (("", made), ("untouched_", examples["image"])):
            out[f"{name}l1"] = float(np.abs(image - target).mean() / 2)
            out[f"{name}retrieval"] = float(retrieved(image, target).mean())
        return out
