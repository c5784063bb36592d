"""Samples judged by a classifier that was trained on real images: are they like those, and of the class that
was asked for?
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np

from dljax.analysis.activations import activations
from dljax.analysis.frechet import frechet_distance
from dljax.data.pipeline import EvalSet
from dljax.types import Array, Key, Sample, Variables

_BATCH = 500


class Judgement(NamedTuple):
    """Outputs of a judge for images.

    Attributes:
        features: float32 [n, d].
        logits: float32 [n, classes].
    """

    features: np.ndarray
    logits: np.ndarray


class Judge:
    """A trained classifier of images [n, h, w, c] in 0..1, as a function: images -> Judgement.

    Args:
        module: called as ``module(image, train=False) -> logits``.
        variables: its "params" and other collections.
        layer: path of the one whose rectified outputs are the features.
        size: side of its images, to which others are enlarged bilinearly; 0 leaves them as they are.
    """

    def __init__(self, module: nn.Module, variables: Mapping[str, Any], layer: str, size: int = 0):
        def judged(variables: Mapping[str, Any], image: Array) -> Array:
            if size:
                shape = (len(image), size, size, image.shape[-1])
                image = jax.image.resize(image, shape, "linear")
            out: Any = module.apply(variables, image, train=False)
            return out

        @jax.jit
        def outputs(variables, image):
            logits = judged(variables, image)
            features = activations(judged, variables, image, layers=[layer])[layer]
            return jax.nn.relu(features), logits

        self._outputs, self._variables = outputs, variables

    def __call__(self, images: np.ndarray) -> Judgement:
        n, parts = len(images), []
        for start in range(0, n, _BATCH):
            batch = np.asarray(images[start : start + _BATCH], np.float32)
            full = np.concatenate([batch, np.zeros((_BATCH - len(batch), *batch.shape[1:]))])
            parts.append(jax.tree.map(np.asarray, self._outputs(self._variables, full)))
        features, logits = (np.concatenate(part)[:n] for part in zip(*parts, strict=True))
        return Judgement(features, logits)


def verdicts(made: Judgement, real: Judgement) -> dict[str, float]:
    """ "frechet", the distance between features; "sure", the made images' mean confidence; and "classes",
    how many classes they are of: the exponential of the entropy of the judge's guesses.

    A collapsed generator may be sure, and of one class.
    """
    logits = made.logits.astype(np.float64)
    chance = np.exp(logits - logits.max(1, keepdims=True))
    chance /= chance.sum(1, keepdims=True)
    part = np.bincount(logits.argmax(1)) / len(logits)
    part = part[part > 0]
    return {
        "frechet": frechet_distance(made.features, real.features),
        "sure": float(chance.max(1).mean()),
        "classes": float(np.exp(-(part * np.log(part)).sum())),
    }


@dataclass(frozen=True)
class Judged:
    """A look: the ``verdicts`` on samples beside real images, and where they were asked for by class
    "consistency", the part that the judge finds to be of that class.

    Attributes:
        sample: of a task; images in 0..1.
        data: ``image`` in ``low``..1.
        n: number of samples; all of ``data`` is compared with.
        low: pixel value of black in ``data``.
        classes: number of classes, where samples are of the classes 0, 1, ... in turn.
    """

    sample: Sample
    data: EvalSet
    judge: Judge
    n: int = 5000
    low: float = 0.0
    classes: int = 0

    def __call__(self, variables: Variables, key: Key) -> Mapping[str, float]:
        image = next(self.data.batches(len(self.data.source)))["image"]
        made = self.judge(np.asarray(self.sample(variables, key, self.n)))
        found = verdicts(made, self.judge((image - self.low) / (1 - self.low)))
        if self.classes:
            asked = np.arange(self.n) % self.classes
            found["consistency"] = float((made.logits.argmax(1) == asked).mean())
        return found
