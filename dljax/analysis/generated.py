"""Looks that every generator of images is given: each score of quality beside one of diversity."""

from collections.abc import Callable
from typing import Any

from dljax.analysis.judge import Judge, Judged
from dljax.analysis.looks import Likeness, Samples
from dljax.analysis.neighbors import Copies, Neighbors
from dljax.data.pipeline import EvalSet
from dljax.types import Key, Sample, Variables


def looks(
    sample: Sample,
    train: EvalSet,
    test: EvalSet,
    *,
    low: float = 0.0,
    classes: int = 0,
    judge: Judge | None = None,
) -> dict[str, Callable[[Variables, Key], Any]]:
    """Looks by name: "samples" and "copies" are pictures, "likeness" and "neighbors" scores, and "judged" the
    scores that a judge gives, where there is one.

    Args:
        sample: of a task; images in 0..1.
        train, test: ``image`` in ``low``..1, and ``label`` where there are classes.
        low: pixel value of black in the sets.
        classes: number of classes, where samples are of the classes 0, 1, ... in turn.
    """
    found: dict[str, Callable[[Variables, Key], Any]] = {
        "samples": Samples(sample, n=60, columns=classes or 12),
        "copies": Copies(sample, train, columns=classes or 10, low=low),
        "likeness": Likeness(sample, test, low=low),
        "neighbors": Neighbors(sample, train, test, low=low, classes=classes),
    }
    if judge:
        found["judged"] = Judged(sample, test, judge, low=low, classes=classes)
    return found
