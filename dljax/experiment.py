"""What an experiment file returns: which learner, on which data, for how long, and what to expect."""

import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from dljax.data.pipeline import EvalSet, Pipeline
from dljax.errors import UserError
from dljax.learner import Learner, State
from dljax.types import Key

# (state, key) -> an image, float [h, w] or [h, w, 3] in 0..1, or a text
View = Callable[[State, Key], Any]
Carry = Callable[[State, State], State]


class Expect(NamedTuple):
    """A bound that a metric is held to at the end of the run."""

    sign: str
    bound: float

    def holds(self, value: float) -> bool:
        return value >= self.bound if self.sign == ">=" else value <= self.bound

    def __str__(self) -> str:
        return f"{self.sign} {self.bound:g}"


def at_least(bound: float) -> Expect:
    return Expect(">=", bound)


def at_most(bound: float) -> Expect:
    return Expect("<=", bound)


def carry_params(old: State, fresh: State) -> State:
    """The next phase starts from the last one's step, parameters and statistics, with its own
    optimizer."""
    ema = old.params if fresh.ema is not None and old.ema is None else old.ema
    ema = None if fresh.ema is None else ema
    return fresh._replace(step=old.step, params=old.params, extra=old.extra, ema=ema)


@dataclass(frozen=True)
class Phase:
    """One stretch of training. ``carry`` makes its first state from (the last phase's, a fresh one)."""

    learner: Learner
    data: Pipeline
    steps: int
    carry: Carry = carry_params


@dataclass(frozen=True)
class Experiment:
    """A claim about a model: one or more phases, evaluations, pictures and the expected result.

    Attributes:
        learner, data, steps: the one phase; or give ``phases``.
        phases: phases in a row, each starting from the last one's state.
        evals: name -> EvalSet, evaluated with the running phase's learner.
        eval_every: steps between evaluations; 0 evaluates at the end of each phase only.
        views: name -> View, drawn with every evaluation.
        expect: "eval/metric" or a training metric -> at_least(...) or at_most(...).
        seed: of the root key.
    """

    learner: Learner | None = None
    data: Pipeline | None = None
    steps: int = 0
    phases: tuple[Phase, ...] = ()
    evals: Mapping[str, EvalSet] = field(default_factory=dict)
    eval_every: int = 0
    views: Mapping[str, View] = field(default_factory=dict)
    expect: Mapping[str, Expect] = field(default_factory=dict)
    seed: int = 0
    # filled in by `load`, and written into the run's folder
    name: str = "experiment"
    text: str = ""
    folder: str = ""
    knobs: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        if not self.phases:
            if self.learner is None or self.data is None:
                raise UserError("an Experiment needs learner, data and steps, or phases")
            object.__setattr__(self, "phases", (Phase(self.learner, self.data, self.steps),))
        if any(phase.steps < 1 for phase in self.phases):
            raise UserError("every phase of an experiment needs at least one step")

    @property
    def total_steps(self) -> int:
        return sum(phase.steps for phase in self.phases)

    @property
    def ranking(self) -> tuple[str, str] | None:
        """(metric, ">=" or "<="): the first expectation says which checkpoint is best."""
        return next(((metric, e.sign) for metric, e in self.expect.items()), None)


def load(path: str | Path) -> Callable[..., Experiment]:
    """The experiment function of a file: call it with knobs to get an Experiment.

    The file's own folder is importable while it runs, so a model file may lie beside it.

    Example:
        >>> import dljax  # doctest: +SKIP
        >>> experiment = dljax.load("experiments/convnets/lenet_digits.py")(epochs=2)
        >>> dljax.run(experiment, dljax.profile("cpu"))

    Raises:
        UserError: the file is missing or defines no function ``experiment``.
    """
    from dljax.knobs import read_knobs

    path = Path(path)
    knobs = read_knobs(path)
    folder = str(path.resolve().parent)
    spec = importlib.util.spec_from_file_location(f"dljax_experiment_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(folder)

    def build(**given: Any) -> Experiment:
        resolved = knobs.resolve(given)
        built = module.experiment(**resolved)
        if not isinstance(built, Experiment):
            raise UserError(
                f"{path}: experiment() returned {type(built).__name__}, expected an Experiment"
            )
        for attribute, value in {
            "name": path.stem,
            "folder": folder,
            "text": path.read_text(),
            "knobs": resolved,
        }.items():
            object.__setattr__(built, attribute, value)
        return built

    return build
