"""Every experiment file, made small: its fake twin, the tiny variant, a few steps."""

from dataclasses import replace
from pathlib import Path

import numpy as np

import dljax
from dljax.catalog import imported_models
from dljax.data import EvalSet
from dljax.experiment import Experiment
from dljax.knobs import read_knobs

EXPERIMENTS = sorted(p for p in Path(__file__).parents[1].glob("experiments/*/*.py"))
IDS = [p.stem for p in EXPERIMENTS]
# One experiment of every kind of training: the first of each set of models in each folder, on data
# that installs with the package where there is such a one.
_EMBEDDED = ("digits", "topics", "collages")
_BY_KIND = {
    (p.parent.name, *sorted(set(imported_models(p)))): p
    for p in sorted(EXPERIMENTS, key=lambda p: (p.stem.endswith(_EMBEDDED), p.stem))
}
KINDS = sorted(_BY_KIND.values())


class Head:
    """The first examples of a source."""

    def __init__(self, source, n: int):
        self.source, self.n = source, min(n, len(source))

    def __len__(self) -> int:
        return self.n

    def gather(self, indices: np.ndarray):
        return self.source.gather(indices)


def shortened(experiment: Experiment, steps: int) -> Experiment:
    """``steps`` per phase, evaluated once on one batch."""
    evals = {
        name: EvalSet(Head(data.source, data.size), data.size, data.transform)
        if data.divisible
        else data
        for name, data in experiment.evals.items()
    }
    short = replace(
        experiment.with_phases(*(replace(phase, steps=steps) for phase in experiment.phases)),
        evals={name: replace(data, size=min(data.size, 16)) for name, data in evals.items()},
        eval_every=0,
    )
    return short.of(experiment.origin)


def smoke(path: Path, steps: int = 3, **given) -> Experiment:
    knobs = read_knobs(path).knobs
    small = {"variant": "tiny", "batch": 8, "fake": True, "samples": 8}
    if "size" in knobs:
        small["size"] = min(32, knobs["size"].default)
    small = {name: value for name, value in small.items() if name in knobs}
    return shortened(dljax.load(path)(**{**small, **given}), steps)
