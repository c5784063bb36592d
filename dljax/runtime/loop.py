"""The one loop for every kind of training: it knows no loss and no model."""

import gc
import signal
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dljax.errors import UserError
from dljax.experiment import Experiment
from dljax.learner import State, named
from dljax.loading import hold
from dljax.runtime.checkpoints import Checkpoints
from dljax.runtime.execute import Jit
from dljax.runtime.feeder import Ahead, Edge, InFlight, calls
from dljax.runtime.log import Log
from dljax.runtime.measure import check_finite, told, verdict
from dljax.runtime.processes import prepared
from dljax.runtime.profile import Profile, load_profile
from dljax.runtime.progress import Progress
from dljax.runtime.report import write_report
from dljax.runtime.rundir import RunDir, choose_workdir
from dljax.runtime.signals import Stop
from dljax.runtime.stage import Stage, ready, staged
from dljax.types import Key


class Result(NamedTuple):
    """The end of a run.

    Attributes:
        state: of the last phase's end.
        metrics: the newest value of every metric; an array [seeds] where there are several.
        verdict: expectation -> True where it held; empty where no claim is about these knobs.
        workdir: the run's folder.
        compilations: of a phase's step, in the phase with the most.
    """

    state: State
    metrics: dict[str, Any]
    verdict: dict[str, bool]
    workdir: Path
    compilations: int


class Interrupted(UserError):
    """A run that was asked to stop, and has saved its state."""

    def __init__(self, words: str, number: int):
        super().__init__(words)
        self.status = 128 + number


def run(
    experiment: Experiment,
    profile: Profile | str | Path | None = None,
    workdir: str | Path | None = None,
    *,
    quiet: bool = False,
    anyway: bool = False,
) -> Result:
    """Train an experiment to its end, going on from the folder's newest checkpoint if there is one.

    Args:
        experiment: from an experiment file (``dljax.load``) or built by hand.
        profile: a Profile, a file or a name in ``configs``; by default on the devices that jax finds.
        workdir: the run's folder; by default ``runs/<name>-<hash of its code and knobs>``.
        quiet: show no progress.
        anyway: go on in the folder of a run of other code or data.

    Raises:
        UserError: the profile or the data do not fit, or the folder cannot be used.
        Diverged: a loss or gradient became NaN or infinite; the batch is stored.
        EvaluationFailed: an evaluation raised an error; the state is saved.
        Interrupted: SIGTERM or Ctrl-C; the state is saved, and the same command goes on.
    """
    profile = profile if isinstance(profile, Profile) else load_profile(profile)
    path = choose_workdir(experiment, workdir)
    rankings = [experiment.ranking(i) for i in range(len(experiment.phases))]
    with prepared(profile):
        hold(experiment.origin)
        stages = staged(experiment)
        # All phases, before there is a folder: a fault leaves none, and costs no phase before it.
        executors = [ready(experiment, profile, stage) for stage in stages]
        with (
            RunDir(path, experiment, profile, anyway) as folder,
            Checkpoints(path, profile.keep, rankings) as saved,
            Stop() as stop,
        ):
            return Run(experiment, profile, folder, saved, stop, quiet).to_its_end(
                stages, executors
            )


def root_key(seed: int | tuple[int, ...], phase: int) -> Key:
    """The key of a phase, or of each of several models in it."""
    if isinstance(seed, int):
        return named(jax.random.key(seed), f"phase {phase}")
    return jnp.stack([root_key(each, phase) for each in seed])


class Run:
    """A run while it trains, with its folder, checkpoints, progress and log."""

    def __init__(
        self,
        experiment: Experiment,
        profile: Profile,
        folder: RunDir,
        saved: Checkpoints,
        stop: Stop,
        quiet: bool,
    ):
        self.experiment, self.profile, self.folder = experiment, profile, folder
        self.saved, self.stop = saved, stop
        self.total = experiment.total_steps
        self.begun_at = saved.latest() or 0
        self.log_every = max(1, self.total // 500)
        self.progress = Progress(self.begun_at, self.total, quiet or not folder.chief)
        self.log = Log(folder, saved, self.progress)
        self.compilations = 0

    def to_its_end(self, stages: list[Stage], executors: list[Jit]) -> Result:
        """Train the steps left of every phase, give the verdict, write the report.

        Raises:
            UserError: the folder holds a later step than the experiment's last; and as ``run``.
        """
        clock, path, state = time.monotonic(), self.folder.path, None
        try:
            if self.begun_at > self.total:
                raise UserError(
                    f"{path} holds step {self.begun_at}, past this experiment's end, {self.total}"
                )
            self.folder.open(self.begun_at)
            self.log.read()
            if self.folder.notice:
                self.progress.say(self.folder.notice)
            if self.begun_at == self.total:
                self.progress.say(
                    f"this run has finished: {path} holds its last step, {self.total}"
                )
            elif self.begun_at:
                self.progress.say(f"going on from step {self.begun_at} in {path}")
            for stage, executor in zip(stages, executors, strict=True):
                if stage.end >= self.begun_at:
                    state = self._train(stage, executor, state)
            self.saved.wait()
            held = verdict(self.experiment, self.log.newest)
            if self.begun_at < self.total or not self.folder.finished():
                self.folder.finish(self.total, time.monotonic() - clock, self.log.newest, held)
            for line in told(self.experiment, self.log.newest):
                self.progress.say(line)
        finally:
            self.progress.close()
            self.folder.close()
            if self.folder.chief:
                write_report(path)
        self.progress.say(f"report: {path / 'report.html'}")
        assert state is not None
        return Result(state, self.log.newest, held, path, self.compilations)

    def _train(self, stage: Stage, executor: Jit, before: State | None) -> State:
        """Train a phase, from its start or from the newest checkpoint in it."""
        if stage.offset < self.begun_at:
            state = executor.enter(self.saved.restore(self.begun_at, executor.abstract))
            if stage.evaluates(self.begun_at) and self.log.lacks(stage, self.begun_at):
                # The run was killed between a save and the evaluation that follows it.
                self.log.measure(stage, executor, executor.whole(state), self.begun_at)
        else:
            fresh = executor.fresh(root_key(self.experiment.seed, stage.number))
            state = executor.laid(stage.phase.start(before, fresh))
        if self.begun_at < stage.end:
            state = self._steps(stage, executor, state)
            self.compilations = max(self.compilations, executor.compilations())
        return executor.whole(state)

    def _steps(self, stage: Stage, executor: Jit, state: Any) -> Any:
        """Train the steps left of a phase."""
        phase, start = stage.phase, max(self.begun_at, stage.offset)
        edges = (stage.evaluations, Edge(self.profile.checkpoint_every))
        batches = (
            (first, k, executor.place(first - stage.offset, k))
            for first, k in calls(start, stage.end, self.profile.steps_per_call, edges)
        )
        feeder = batches if executor.on_host else Ahead(batches)
        flying = InFlight(shared=executor.on_host)
        try:
            for first, k, batch in feeder:
                state, packed = executor.step(state, batch, k)  # dispatched, not waited for
                if first == start:
                    jax.block_until_ready(packed)
                    gc.freeze()  # imports and compilation leave objects that take 60 ms to search each time
                    self.progress.steady(first + k, phase.data.size)
                for call in flying.add((first, k, packed)):
                    self._read(stage, executor, *call)  # of the steps before, while this one runs
                done = first + k
                stopping = self.stop.requested(done)
                if stopping or done == stage.end or any(edge.at(done) for edge in edges):
                    for call in flying.rest():
                        self._read(stage, executor, *call)
                    self._edge(stage, executor, executor.whole(state), done, stopping)
        finally:
            feeder.close()
            gc.unfreeze()
        return state

    def _read(self, stage: Stage, executor: Jit, first: int, k: int, packed: jax.Array) -> None:
        """Wait for a call's metrics, check them and log the last step's."""
        values, done = np.asarray(packed), first + k
        check_finite(
            executor.names,
            first,
            values,
            self.folder,
            lambda step: stage.phase.data.batch(step - stage.offset),
        )
        row = dict(zip(executor.names, values[-1], strict=True))
        self.log.step(stage, row, done, write=done % self.log_every < k or done == stage.end)

    def _edge(self, stage: Stage, executor: Jit, state: State, done: int, stopping: bool) -> None:
        """Save, measure, stop, in this order: a measurement that fails then loses no step."""
        every = self.profile.checkpoint_every
        due = done == stage.end or Edge(every).at(done) or (every and stage.evaluates(done))
        if stopping or due:
            self.saved.save(done, state)
        if stage.evaluates(done):
            self.log.measure(stage, executor, state, done)
        else:
            self.log.rank(stage, executor.names, done)
        if stopping and done < self.total:
            self.saved.wait()
            number = self.stop.number or signal.SIGTERM
            raise Interrupted(
                f"stopped by {signal.Signals(number).name} at step {done}, saved in "
                f"{self.folder.path}: run the same command again to go on",
                number,
            )
