"""Every experiment file, made small: its fake twin, the tiny variant, a few steps."""

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import dljax
from dljax import Experiment
from dljax.catalog import imported_models

EXPERIMENTS = sorted(p for p in Path(__file__).parents[1].glob("experiments/*/*.py"))
IDS = [p.stem for p in EXPERIMENTS]
# One experiment of every kind of training: the first of each set of models in each folder.
_BY_KIND: dict[tuple, Path] = {}
for _path in EXPERIMENTS:
    _BY_KIND.setdefault((_path.parent.name, *sorted(set(imported_models(_path)))), _path)
KINDS = sorted(_BY_KIND.values())
# For deep checks: with `-m "not deep"` one kind stands for all.
_SHALLOW = ("lenet",)
DEEP = [
    pytest.param(path, id=path.stem, marks=() if path.stem in _SHALLOW else pytest.mark.deep)
    for path in KINDS
]


class Head:
    """The first examples of a source."""

    def __init__(self, source, n: int):
        self.source, self.n = source, min(n, len(source))

    def __len__(self) -> int:
        return self.n

    def gather(self, indices: np.ndarray):
        return self.source.gather(indices)


def shortened(experiment: Experiment, steps: int, evals: bool = True) -> Experiment:
    """``steps`` per phase, evaluated once on one batch."""
    phases = [
        replace(
            phase,
            steps=steps,
            every=0,
            evals={
                name: data if data.whole else replace(data, source=Head(data.source, 16))
                for name, data in phase.evals.items()
            },
        )
        for phase in experiment.phases
    ]
    return Experiment(*phases, seed=experiment.seed).of(
        experiment.origin, experiment.claim, experiment.apart
    )


def small(path: Path) -> dict:
    """The knobs that make an experiment small: SMALL in its file."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "SMALL":
            return ast.literal_eval(node.value)
    raise AssertionError(f"{path} has no SMALL: say which knobs make it small for tests")


def smoke(path: Path, steps: int = 3, **given) -> Experiment:
    knobs = {"fake": True, **small(path), **given}
    return shortened(dljax.load(path)(**knobs), steps)
