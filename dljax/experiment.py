"""What an experiment file returns: which learner, on which data, for how long, and what to expect."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from dljax.data.pipeline import EvalSet, Pipeline
from dljax.errors import UserError
from dljax.learner import Learner, State
from dljax.types import Key

if TYPE_CHECKING:
    from dljax.code import Origin

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
    # Two leaves of a state must not be one buffer: the step is given both to overwrite.
    ema = None if fresh.ema is None else jax.tree.map(jnp.copy, ema)
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
        eval_every: steps between evaluations; 0 evaluates at the end of each phase only. There is
            always one at the end, and none within a tenth of this before it.
        views: name -> View, drawn with every evaluation.
        expect: "eval/metric" or a training metric -> at_least(...) or at_most(...).
        seed: of the root key; several for a learner of as many models (``many_seeds``), each with the
            key that it has when it is trained alone.
        origin: its file, knobs and code where ``load`` made it, else None: an experiment that is
            built or changed by hand (``dataclasses.replace``) needs a run's folder by name.
    """

    learner: Learner | None = None
    data: Pipeline | None = None
    steps: int = 0
    phases: tuple[Phase, ...] = ()
    evals: Mapping[str, EvalSet] = field(default_factory=dict)
    eval_every: int = 0
    views: Mapping[str, View] = field(default_factory=dict)
    expect: Mapping[str, Expect] = field(default_factory=dict)
    seed: int | tuple[int, ...] = 0
    origin: "Origin | None" = field(default=None, init=False)

    def __post_init__(self):
        if not self.phases:
            if self.learner is None or self.data is None:
                raise UserError("an Experiment needs learner, data and steps, or phases")
            object.__setattr__(self, "phases", (Phase(self.learner, self.data, self.steps),))
        elif self.learner is not None or self.data is not None or self.steps:
            one = self.phases[0]
            same = one.learner is self.learner and one.data is self.data and one.steps == self.steps
            if len(self.phases) > 1 or not same:
                raise UserError(
                    "an Experiment's phases say other than its learner, data and steps: to change "
                    "one, use with_phases()"
                )
        if any(phase.steps < 1 for phase in self.phases):
            raise UserError("every phase of an experiment needs at least one step")

    def of(self, origin: "Origin") -> "Experiment":
        """The same, as ``origin`` makes it."""
        made = copy.copy(self)
        object.__setattr__(made, "origin", origin)
        return made

    def with_phases(self, *phases: Phase) -> "Experiment":
        """The same with other phases, e.g. ``replace(phase, steps=50)`` of one of its own."""
        return replace(self, learner=None, data=None, steps=0, phases=phases)

    @property
    def total_steps(self) -> int:
        return sum(phase.steps for phase in self.phases)

    @property
    def ranking(self) -> tuple[str, str] | None:
        """(metric, ">=" or "<="): the first expectation says which checkpoint is best, measured on
        the validation set, where there is one, and not on the test set."""
        for metric, e in self.expect.items():
            name, _, what = metric.partition("/")
            choose = name == "test" and "validation" in self.evals
            return (f"validation/{what}" if choose else metric), e.sign
        return None
