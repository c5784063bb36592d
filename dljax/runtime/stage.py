"""Stages: the phases of an experiment in their places, checked before they are trained."""

from typing import Any, NamedTuple

import jax

from dljax.data.pipeline import extremes
from dljax.errors import UserError, nearest
from dljax.experiment import Experiment, Phase
from dljax.runtime.execute import Jit, make_executor
from dljax.runtime.feeder import Edge
from dljax.runtime.measure import known
from dljax.runtime.profile import Profile


class Stage(NamedTuple):
    """A phase in its place: its steps are ``offset`` to ``end`` of the run.

    Attributes:
        number: of the phase, from 0.
        prefix: of its metrics.
    """

    number: int
    phase: Phase
    prefix: str
    offset: int
    end: int

    @property
    def evaluations(self) -> Edge:
        """The edges at which it is evaluated, its end apart."""
        return Edge(self.phase.every, self.offset)

    def evaluates(self, done: int) -> bool:
        """True where there is an evaluation after ``done`` steps of the run."""
        # Epochs rounded to steps may put the end just behind a multiple: the end is enough then.
        last = 0 < self.end - done <= self.phase.every // 10
        return done == self.end or (self.evaluations.at(done) and not last)


def staged(experiment: Experiment) -> list[Stage]:
    """The phases of an experiment in their places.

    Raises:
        UserError: an expectation names no phase.
    """
    stages, end = [], 0
    for number, phase in enumerate(experiment.phases):
        offset, end = end, end + phase.steps
        stages.append(Stage(number, phase, experiment.prefix(number), offset, end))
    for expect in experiment.claim.expect if experiment.claim else ():
        if not any(expect.metric.startswith(stage.prefix) for stage in stages):
            prefixes = [stage.prefix.rstrip("/") for stage in stages]
            raise UserError(
                f"expect {str(expect)!r}: no phase is called {expect.metric.split('/')[0]!r}; "
                f"{nearest(expect.metric.split('/')[0], prefixes)}"
            )
    return stages


def ready(experiment: Experiment, profile: Profile, stage: Stage) -> Jit:
    """The executor of a phase, after a check that the data and the expectations fit its learner.

    Raises:
        UserError: they do not fit, or the profile does not.
    """
    phase = stage.phase
    executor = make_executor(profile, phase.learner, phase.data)
    variables = jax.eval_shape(executor.learner.chosen, executor.abstract)
    sets: list[Any] = [phase.data, *phase.evals.values()]
    for data in sets:
        executor.learner.check(variables, extremes(data))
    names = {stage.prefix + name for name in known(executor, phase)}
    looks = {f"{stage.prefix}{name}" for name in phase.looks}
    for expect in experiment.claim.expect if experiment.claim else ():
        if not expect.metric.startswith(stage.prefix) or expect.metric in names:
            continue
        if expect.metric.rpartition("/")[0] not in looks:
            raise UserError(
                f"expect {str(expect)!r}: it is not measured; {nearest(expect.metric, names)}"
            )
    return executor
