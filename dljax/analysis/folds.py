"""Scores and curves of cross-validation (``tasks.folds``), read from a state's "curve"."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dljax.analysis import charts
from dljax.tasks.folds import CURVE, chosen
from dljax.types import Key, Variables


def measured(variables: Variables) -> dict[str, np.ndarray]:
    """``accuracy`` and ``choice`` [times, folds], of the times that have been."""
    curve = variables.extra[CURVE]
    times = int(np.isfinite(np.asarray(curve["choice"])).all(1).sum())
    return {name: np.asarray(curve[name])[:times] for name in ("accuracy", "choice")}


@dataclass(frozen=True)
class FoldScores:
    """A look: mean "accuracy" and "spread" (standard deviation) over folds at the time chosen, and "last".

    Attributes:
        common: one time for all folds, as Xu et al. 2019 choose it; otherwise each has its own.
    """

    common: bool

    def __call__(self, variables: Variables, key: Key) -> Mapping[str, float]:
        seen = measured(variables)
        if not len(seen["accuracy"]):
            return {"accuracy": 0.0, "spread": 0.0, "last": 0.0}
        at = chosen(**seen, common=self.common)
        last = seen["accuracy"][-1]
        return {"accuracy": float(at.mean()), "spread": float(at.std()), "last": float(last.mean())}


def fold_curves(variables: Variables, key: Key) -> np.ndarray:
    """A look: each fold's accuracy over time, and their mean."""
    accuracy = measured(variables)["accuracy"]
    return charts.bundle(accuracy, xlabel="measures so far", ylabel="accuracy of the fold held out")
