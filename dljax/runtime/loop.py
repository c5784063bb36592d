"""The loop: the only one there is. It knows no loss, no model and no kind of training."""

import gc
import signal
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dljax.errors import UserError
from dljax.experiment import Experiment, Phase
from dljax.learner import State, named
from dljax.loading import hold
from dljax.runtime.checkpoints import Checkpoints
from dljax.runtime.execute import Executor, make_executor
from dljax.runtime.feeder import Ahead, InFlight, calls
from dljax.runtime.measure import check_finite, draw, evaluate, in_words, newest, verdict
from dljax.runtime.processes import prepare
from dljax.runtime.profile import Profile
from dljax.runtime.progress import Progress
from dljax.runtime.report import write_report
from dljax.runtime.rundir import RunDir, choose_workdir, read_metrics
from dljax.runtime.signals import Stop
from dljax.types import Key


class Result(NamedTuple):
    """The end of a run.

    Attributes:
        state: the last phase's.
        metrics: the newest value of every metric; an array where there are several seeds.
        verdict: expectation -> whether it held.
        workdir: the run's folder.
        compilations: the most programs that one phase's step was compiled to.
    """

    state: State
    metrics: dict[str, Any]
    verdict: dict[str, bool]
    workdir: Path
    compilations: int


class Interrupted(UserError):
    """The run was asked to stop, and has saved."""

    def __init__(self, words: str, number: int):
        super().__init__(words)
        self.status = 128 + number


def run(
    experiment: Experiment,
    profile: Profile | None = None,
    workdir: str | Path | None = None,
    *,
    quiet: bool = False,
    anyway: bool = False,
) -> Result:
    """Train an experiment to its end, going on from the folder's newest checkpoint if there is one.

    Args:
        experiment: from an experiment file (``dljax.load``) or built by hand.
        profile: where it runs; ``Profile()`` takes what jax finds.
        workdir: the run's folder; by default ``runs/<name>-<hash of what it means>``.
        quiet: no progress.
        anyway: go on in the folder of a run of other code.

    Raises:
        UserError: the profile does not fit, or the folder cannot be used.
        Diverged: a loss or gradient became NaN or infinite; the batch is stored.
        Interrupted: SIGTERM or Ctrl-C; the state is saved, the same command goes on.
    """
    profile = profile or Profile()
    prepare(profile)
    hold(experiment.origin)
    path = choose_workdir(experiment, workdir)
    executor = make_executor(profile, experiment.phases[0].learner, experiment.phases[0].data)
    begun = time.monotonic()
    with (
        RunDir(path, experiment, profile, anyway) as folder,
        Checkpoints(path, profile.keep, experiment.ranking) as saved,
        Stop() as stop,
    ):
        start = saved.latest() or 0
        folder.open(start)
        metrics = newest(read_metrics(path))
        progress = Progress(start, experiment.total_steps, quiet or not folder.chief)
        if folder.notice:
            progress.say(folder.notice)
        if start == experiment.total_steps:
            progress.say(f"this run has finished: {path} holds its last step, {start}")
        elif start:
            progress.say(f"going on from step {start} in {path}")
        state: Any = None
        end = compilations = 0
        try:
            for index, phase in enumerate(experiment.phases):
                offset, end = end, end + phase.steps
                if end < start:
                    continue
                if index:
                    executor = make_executor(profile, phase.learner, phase.data)
                if offset < start:
                    state = executor.enter(saved.restore(start, executor.abstract))
                else:
                    fresh = executor.init(_root(experiment.seed, f"phase {index}"))
                    state = fresh if state is None else _carried(phase, executor, state, fresh)
                stretch = _Stretch(phase, executor, offset, max(start, offset), end)
                state, metrics = _train(
                    experiment, profile, stretch, state, metrics, saved, folder, progress, stop
                )
                compilations = max(compilations, executor.compilations())
                state = executor.whole(state)
            if start > end:
                raise UserError(f"{path} holds step {start}, past this experiment's end, {end}")
            saved.wait()
            held = verdict(experiment, metrics)
            if start < end or not folder.finished():
                folder.finish(end, time.monotonic() - begun, metrics, held)
            for key, expect in experiment.expect.items():
                value = np.mean(metrics.get(key, np.nan))
                words = "met" if held[key] else "NOT MET"
                progress.say(f"{words}: {key} = {value:.5g}, expected {expect}")
        finally:
            progress.close()
            folder.close()
            if folder.chief:
                write_report(path)
        progress.say(f"report: {path / 'report.html'}")
    return Result(state, metrics, held, path, compilations)


def _root(seed: int | tuple[int, ...], name: str) -> Key:
    """The key of a phase, or of each of several models in it."""
    if isinstance(seed, int):
        return named(jax.random.key(seed), name)
    return jnp.stack([_root(each, name) for each in seed])


def _carried(phase: Phase, executor: Executor, old: State, fresh: Any) -> Any:
    """The first state of a phase that follows another."""
    shardings = jax.tree.map(lambda x: x.sharding, executor.abstract)
    return executor.enter(jax.device_put(phase.carry(old, executor.whole(fresh)), shardings))


class _Stretch(NamedTuple):
    """Steps ``start`` to ``end`` of a phase whose first step is ``offset``, compiled."""

    phase: Phase
    executor: Executor
    offset: int
    start: int
    end: int


def _train(
    experiment: Experiment,
    profile: Profile,
    stretch: _Stretch,
    state: Any,
    metrics: dict[str, Any],
    saved: Checkpoints,
    folder: RunDir,
    progress: Progress,
    stop: Stop,
) -> tuple[Any, dict[str, Any]]:
    """One stretch of steps. Order at an edge: read, evaluate and draw, save."""
    phase, executor, offset, start, end = stretch
    edges = (experiment.eval_every, profile.checkpoint_every)
    log_every = max(1, experiment.total_steps // 500)
    metrics = dict(metrics)

    def due(every: int, done: int) -> bool:
        return done == end or bool(every and done % every == 0)

    def read(first: int, k: int, packed: jax.Array) -> None:
        values = np.asarray(packed)
        check_finite(executor.names, first, values, folder, lambda s: phase.data.batch(s - offset))
        row = dict(zip(executor.names, values[-1], strict=True))
        metrics.update(row)
        done = first + k
        if done % log_every < k or done == end:
            folder.log(done, row)
        progress.step(done, row)

    batches = (
        (first, k, executor.place(first - offset, k))
        for first, k in calls(start, end, profile.steps_per_call, edges)
    )
    feeder = batches if executor.on_host else Ahead(batches)
    flying = InFlight(shared=executor.on_host)
    try:
        for first, k, batch in feeder:
            state, packed = executor.step(state, batch, k)  # dispatched, not waited for
            if first == start:
                jax.block_until_ready(packed)
                gc.freeze()  # imports and compilation leave 60 ms of objects to search each time
                progress.steady(first + k, phase.data.size)
            for call in flying.add((first, k, packed)):
                read(*call)  # of the steps before, while this one runs
            done = first + k
            stopping = stop.requested(done)
            if not (stopping or any(due(every, done) for every in edges)):
                continue
            for call in flying.rest():
                read(*call)
            numbers = {name: float(np.mean(metrics[name])) for name in executor.names}
            # Epochs rounded to steps may put the end right behind a multiple: once is enough then.
            last = 0 < end - done <= experiment.eval_every // 10
            if due(experiment.eval_every, done) and not last:
                whole = executor.whole(state)
                measured = evaluate(executor, experiment, whole)
                metrics.update(measured)
                numbers |= {name: float(np.mean(value)) for name, value in measured.items()}
                if measured:
                    folder.log(done, measured)
                    progress.say(f"step {done}  {in_words(measured)}")
                draw(experiment, folder, whole, done)
            better = profile.checkpoint_every and saved.improves(numbers)
            if stopping or better or due(profile.checkpoint_every, done):
                saved.save(done, executor.whole(state), numbers)
            if stopping and done < experiment.total_steps:
                saved.wait()
                number = stop.number or signal.SIGTERM
                raise Interrupted(
                    f"stopped by {signal.Signals(number).name} at step {done}, saved in "
                    f"{folder.path}: run the same command again to go on",
                    number,
                )
    finally:
        feeder.close()
        gc.unfreeze()
    return state, metrics
