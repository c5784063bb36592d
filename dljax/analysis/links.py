"""Scores and a picture of predicted links."""

from collections.abc import Mapping

import numpy as np

from dljax.analysis import charts
from dljax.analysis.predictions import Predicts, predict
from dljax.data.pipeline import EvalSet
from dljax.experiment import Look


def ranked(examples: Mapping[str, np.ndarray], scores: np.ndarray) -> dict[str, float]:
    """Area "auc", the chance that a linked pair scores above an unlinked one (half where equal), and "ap".

    ap is the mean over linked pairs of the precision at their score.

    Args:
        examples: ``label`` [m], 1 where linked.
        scores: [m].
    """
    from sklearn.metrics import average_precision_score, roc_auc_score  # takes a second to import

    label = examples["label"] > 0.5
    return {
        "auc": float(roc_auc_score(label, scores)),
        "ap": float(average_precision_score(label, scores)),
    }


def score_histogram(task: Predicts, data: EvalSet) -> Look:
    """A look: the chances given to pairs that are linked, and to those that are not."""

    def look(variables, key):
        examples, scores = predict(task, variables, data)
        chance = 1 / (1 + np.exp(-np.asarray(scores, np.float64)))
        label = examples["label"] > 0.5
        parts = {"linked": chance[label], "drawn at random": chance[~label]}
        return charts.histograms(parts, xlabel="chance of a link", bounds=(0.0, 1.0))

    return look
