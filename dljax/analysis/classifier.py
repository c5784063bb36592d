"""Looks at a trained classifier, and scores of its predictions."""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import getitem

import jax
import numpy as np

from dljax.analysis import pictures
from dljax.analysis.predictions import Predicts, predict
from dljax.data.pipeline import EvalSet
from dljax.experiment import Look


def filters(layer: str = "conv1", player: str = "model") -> Look:
    """A look: the filters of a convolution on the image, as pictures.

    Args:
        layer: its path among the player's parameters, as "conv1" or "stem/conv1".
    """

    def look(variables, key):
        found = reduce(getitem, layer.split("/"), variables.params[player])
        return pictures.filters(found["kernel"])

    return look


def mistakes(
    task: Predicts, data: EvalSet, names: Sequence[str] = (), *, limit: int = 10_000
) -> Look:
    """A look: the images that a classifier gets most wrong, captioned "truth as guess".

    Args:
        data: ``image`` and ``label``; its first ``limit`` examples are classified.
        names: of the classes; their numbers by default.
    """

    def look(variables, key):
        examples, logits = predict(task, variables, data, limit)
        if (logits.argmax(-1) == examples["label"]).all():
            return f"no mistakes among {len(logits)} examples\n"
        return pictures.mistakes(examples["image"], examples["label"], logits, names)

    return look


def calibration_error(
    examples: Mapping[str, np.ndarray], logits: np.ndarray, bins: int = 15
) -> dict[str, float]:
    """The expected calibration error "ece", the sum over bins of n_b / n |accuracy_b - confidence_b|.

    Guo et al. 2017, arXiv:1706.04599, equation 3; bins of equal width, open below and closed above.

    Args:
        examples: ``label``, integers [n].
        logits: [n, classes].
        bins: number of bins.
    """
    chance = np.asarray(jax.nn.softmax(np.asarray(logits, np.float64)))
    confidence, right = chance.max(-1), chance.argmax(-1) == examples["label"]
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gap = np.bincount(place, right - confidence, bins)
    return {"ece": float(np.abs(gap).sum() / len(right))}
