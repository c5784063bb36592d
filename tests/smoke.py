"""Every experiment file, made small: its fake twin, the tiny variant, a few steps."""

import ast
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dljax
from dljax import Experiment
from dljax.catalog import imported_models

EXPERIMENTS = sorted(p for p in Path(__file__).parents[1].glob("experiments/*/*.py"))
IDS = [p.stem for p in EXPERIMENTS]
# With `-m "not deep"` one kind stands for all.
_SHALLOW = ("lenet",)


def _first_of_each(kind: Callable[[Path], Any]) -> list[Path]:
    """One experiment of every kind, a shallow one where there is one."""
    found: dict[Any, Path] = {}
    for path in sorted(EXPERIMENTS, key=lambda path: path.stem not in _SHALLOW):
        found.setdefault(kind(path), path)
    return sorted(found.values())


def _deep(paths: list[Path]) -> list:
    """A test's parameters, deep but for the shallow ones."""
    return [
        pytest.param(path, id=path.stem, marks=() if path.stem in _SHALLOW else pytest.mark.deep)
        for path in paths
    ]


def _state(path: Path) -> tuple:
    """What a run must find again when it goes on: of its tasks, rules, sources and phases, whatever the network."""
    text = path.read_text()
    rooms = {
        name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith(("dljax.tasks", "dljax.rules", "dljax.data.sources"))
        for name in (node.module or "").split(".")[2:] or [alias.name for alias in node.names]
    }
    return text.count("Phase("), *sorted(rooms)


KINDS = _first_of_each(lambda path: (path.parent.name, *sorted(set(imported_models(path)))))
KIND_PARAMETERS = _deep(KINDS)
STATE_PARAMETERS = _deep(_first_of_each(_state))


class Head:
    """The first examples of a source."""

    def __init__(self, source, n: int):
        self.source, self.n = source, min(n, len(source))
        self.per = getattr(source, "per", 1)

    def __len__(self) -> int:
        return self.n

    def gather(self, indices: np.ndarray):
        return self.source.gather(indices)


def shortened(experiment: Experiment, steps: int, later: int = 0) -> Experiment:
    """``steps`` per phase, or ``later`` of each but the first, evaluated once on one batch."""
    phases = [
        replace(
            phase,
            steps=later if later and index else steps,
            every=0,
            evals={
                name: data if data.whole else replace(data, source=Head(data.source, 16))
                for name, data in phase.evals.items()
            },
        )
        for index, phase in enumerate(experiment.phases)
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


def smoke(path: Path, steps: int = 3, *, later: int = 0, **given) -> Experiment:
    knobs = {"fake": True, **small(path), **given}
    return shortened(dljax.load(path)(**knobs), steps, later)
