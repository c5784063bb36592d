"""The loop: the only one there is. It knows no loss, no model and no kind of training."""

import math
import signal
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from dljax.errors import UserError
from dljax.experiment import Experiment, Phase
from dljax.learner import State, named
from dljax.runtime.checkpoints import Checkpoints
from dljax.runtime.execute import Executor, make_executor
from dljax.runtime.feeder import Feeder, calls
from dljax.runtime.processes import local_copy, prepare
from dljax.runtime.profile import Profile
from dljax.runtime.progress import Progress
from dljax.runtime.report import write_report
from dljax.runtime.rundir import RunDir, default_workdir, read_metrics
from dljax.runtime.signals import Stop


class Result(NamedTuple):
    """The end of a run: the state, the last metrics, and whether each expectation held."""

    state: State
    metrics: dict[str, Any]
    verdict: dict[str, bool]
    workdir: Path
    compilations: int


class Diverged(UserError):
    """A loss or gradient became NaN or infinite."""

    status = 1


class Interrupted(UserError):
    """The run was asked to stop, and has saved."""

    def __init__(self, words: str, number: int):
        super().__init__(words)
        self.status = 128 + number


def evaluate(executor: Executor, experiment: Experiment, state: State) -> dict[str, Any]:
    """Every metric of every eval set: sums over its examples, divided once."""
    out: dict[str, Any] = {}
    for name, data in experiment.evals.items():
        total: dict[str, Any] = {}
        count = 0.0
        for batch in data.batches():
            sums, n = executor.evaluate(state, executor.place_eval(batch, data.divisible))
            count += float(n)
            for key, value in sums.items():
                total[key] = total.get(key, 0.0) + np.asarray(value, np.float64)
        out |= {f"{name}/{key}": value / count for key, value in total.items()}
    return out


def draw(experiment: Experiment, folder: RunDir, state: State, step: int) -> None:
    """Every view's picture; a view never changes the run."""
    if experiment.views:
        state = local_copy(state)
        for name, view in experiment.views.items():
            if folder.chief:
                folder.picture(name, step, view(state, named(state.key, f"view/{name}")))


def verdict(experiment: Experiment, metrics: dict[str, Any]) -> dict[str, bool]:
    """Each expectation against the mean of its metric (over seeds, where there are several)."""
    return {
        key: key in metrics and expect.holds(float(np.mean(metrics[key])))
        for key, expect in experiment.expect.items()
    }


def run(
    experiment: Experiment,
    profile: Profile | None = None,
    workdir: str | Path | None = None,
    *,
    quiet: bool = False,
) -> Result:
    """Train an experiment to its end, going on from the folder's newest checkpoint if there is one.

    Args:
        experiment: from an experiment file (``dljax.load``) or built by hand.
        profile: where it runs; ``Profile()`` takes what jax finds.
        workdir: the run's folder; by default ``runs/<name>-<hash of what it means>``.
        quiet: no progress.

    Raises:
        UserError: the profile does not fit, or the folder cannot be used.
        Diverged: a loss or gradient became NaN or infinite; the batch is stored.
        Interrupted: SIGTERM or Ctrl-C; the state is saved, the same command goes on.
    """
    profile = profile or Profile()
    prepare(profile)
    path = Path(workdir) if workdir else default_workdir(experiment)
    executors = {0: make_executor(profile, experiment.phases[0].learner, experiment.phases[0].data)}
    folder = RunDir(path, experiment, profile)
    first_expected = next(iter(experiment.expect.items()), None)
    best = (first_expected[0], first_expected[1].sign) if first_expected else None
    begun = time.monotonic()
    with Checkpoints(path, profile.keep, best) as saved, Stop() as stop:
        start = saved.latest() or 0
        if start > experiment.total_steps:
            raise UserError(f"{path} holds step {start}, past this experiment's end")
        folder.open(start)
        progress = Progress(
            start, experiment.total_steps, experiment.phases[0].data.size, quiet or not folder.chief
        )
        if start:
            progress.say(f"going on from step {start} in {path}")
        metrics = _last(read_metrics(path))
        state, offset, compilations = None, 0, 0
        try:
            for index, phase in enumerate(experiment.phases):
                end = offset + phase.steps
                last = index == len(experiment.phases) - 1
                if start > end or (start == end and not last):
                    if start == end:
                        executor = executors.get(index) or make_executor(
                            profile, phase.learner, phase.data
                        )
                        state = saved.restore(start, executor.abstract)
                    offset = end
                    continue
                executor = executors.get(index) or make_executor(profile, phase.learner, phase.data)
                if offset < start:
                    state = executor.enter(saved.restore(start, executor.abstract))
                else:
                    fresh = executor.init(named(jax.random.key(experiment.seed), f"phase {index}"))
                    if state is not None:
                        carried = phase.carry(state, executor.whole(fresh))
                        shardings = jax.tree.map(lambda x: x.sharding, executor.abstract)
                        fresh = executor.enter(jax.device_put(carried, shardings))
                    state = fresh
                begin = max(start, offset)
                state, metrics = _train(
                    experiment,
                    phase,
                    executor,
                    state,
                    offset,
                    begin,
                    end,
                    metrics,
                    saved,
                    folder,
                    progress,
                    stop,
                    profile,
                )
                compilations = max(compilations, executor.compilations())
                state, offset = executor.whole(state), end
            assert state is not None
            held = verdict(experiment, metrics)
            folder.finish(
                {
                    "steps": experiment.total_steps,
                    "seconds": round(time.monotonic() - begun, 1),
                    "metrics": {k: np.asarray(v).tolist() for k, v in metrics.items()},
                    "verdict": held,
                }
            )
            saved.wait()
            for key, expect in experiment.expect.items():
                progress.say(
                    f"{'met' if held[key] else 'NOT MET'}: {key} = "
                    f"{np.mean(metrics.get(key, np.nan)):.5g}, expected {expect}"
                )
        finally:
            progress.close()
            folder.close()
            if folder.chief and (path / "record.json").exists():
                write_report(path)
        progress.say(f"report: {path / 'report.html'}")
    return Result(state, metrics, held, path, compilations)


def _last(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The newest value of every metric that was logged."""
    return {k: np.asarray(v) for row in rows for k, v in row.items() if k != "step"}


def _train(
    experiment: Experiment,
    phase: Phase,
    executor: Executor,
    state: Any,
    offset: int,
    start: int,
    end: int,
    metrics: dict[str, Any],
    saved: Checkpoints,
    folder: RunDir,
    progress: Progress,
    stop: Stop,
    profile: Profile,
) -> tuple[Any, dict[str, Any]]:
    """Steps ``start`` to ``end`` of one phase. Order at an edge: read, evaluate, save."""
    edges = (experiment.eval_every, profile.checkpoint_every)
    log_every = max(1, experiment.total_steps // 1000)
    guarded = [i for i, name in enumerate(executor.names) if name.endswith(("/loss", "/grad_norm"))]
    latest = dict(metrics)

    def read(first: int, k: int, packed: jax.Array) -> None:
        values = np.asarray(packed)
        finite = np.isfinite(values[:, guarded]).reshape(k, len(guarded), -1).all(-1)
        if not finite.all():
            at, which = np.argwhere(~finite)[0]
            step, name = first + int(at), executor.names[guarded[which]]
            player = name.rsplit("/", 1)[0]
            kept = folder.diverged(step, player, phase.data.batch(step - offset))
            raise Diverged(
                f"{name} is {values[at, guarded[which]]} at step {step}: player {player!r} diverged; "
                f"its batch is in {kept}, the last good checkpoint in {saved.folder} "
                f"({saved.latest() or 'none yet'})"
            )
        row = dict(zip(executor.names, values[-1], strict=True))
        latest.update(row)
        done = first + k
        if done % log_every < k or done == end:
            folder.log(done, row)
        progress.step(done, row)

    feeder = Feeder(
        calls(start, end, profile.steps_per_call, edges),
        lambda first, k: executor.place(first - offset, k),
    )
    pending = None
    try:
        for first, k, batch in feeder:
            state, packed = executor.step(state, batch, k)  # dispatched, not waited for
            if pending:
                read(*pending)
            elif first == start:
                jax.block_until_ready(packed)
                progress.steady()
            pending, done = (first, k, packed), first + k
            stopping = stop.requested(done)
            at_edge = done == end or any(every and done % every == 0 for every in edges)
            if not (at_edge or stopping):
                continue
            read(*pending)
            pending = None
            measured: dict[str, Any] = {}
            every = experiment.eval_every
            if done == end or (every and done % every == 0):
                whole = executor.whole(state)
                measured = evaluate(executor, experiment, whole)
                latest.update(measured)
                if measured:
                    folder.log(done, measured)
                    progress.say(
                        f"step {done}  "
                        + "  ".join(f"{k} {np.mean(v):.5g}" for k, v in measured.items())
                    )
                draw(experiment, folder, whole, done)
            every = profile.checkpoint_every
            if done == end or stopping or (every and done % every == 0):
                numbers = {k: float(np.mean(v)) for k, v in (measured or {}).items()}
                saved.save(done, executor.whole(state), numbers or None)
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
    assert all(math.isfinite(float(np.mean(latest[executor.names[i]]))) for i in guarded)
    return state, latest
