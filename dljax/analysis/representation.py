"""The looks at a network that has learned without labels."""

from dljax.analysis.codes import Alike, Probe
from dljax.analysis.predictions import Predicts
from dljax.data import subsets
from dljax.data.image_sets import Crops
from dljax.data.pipeline import EvalSet
from dljax.experiment import Look
from dljax.types import InitVariables

_LABELS = 100, 1000
_CLASSES = 100  # of more, a probe would take hours


def looks(task: Predicts, init: InitVariables, found: Crops, seed: int = 0) -> dict[str, Look]:
    """ "probe_100" and "probe_1000" (``codes.Probe`` of so many labels, drawn by the seed) and "alike"
    (``codes.Alike``); none where there are more than a hundred classes.

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
