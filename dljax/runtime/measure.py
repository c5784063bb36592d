"""What is learned of a state without changing it: metrics, pictures, the verdict."""

from typing import Any

import numpy as np

from dljax.errors import UserError
from dljax.experiment import Experiment
from dljax.learner import State, named
from dljax.runtime.execute import Executor
from dljax.runtime.processes import local_copy
from dljax.runtime.rundir import RunDir


class Diverged(UserError):
    """A loss or gradient became NaN or infinite."""

    status = 1


def evaluate(executor: Executor, experiment: Experiment, state: State) -> dict[str, Any]:
    """Every metric of every eval set: sums over its examples, divided once."""
    out: dict[str, Any] = {}
    for name, data in experiment.evals.items():
        total: dict[str, Any] = {}
        count = 0.0
        for number, batch in enumerate(data.batches()):
            placed = executor.place_eval(batch, data.divisible)
            sums, n = executor.evaluate(state, placed, number)
            count += float(n)
            for key, value in sums.items():
                total[key] = total.get(key, 0.0) + np.asarray(value, np.float64)
        out |= {f"{name}/{key}": value / count for key, value in total.items()}
    return out


def draw(experiment: Experiment, folder: RunDir, state: State, step: int) -> None:
    """Every view's picture; a view never changes the run."""
    if experiment.views:
        state = local_copy(state)
        key = state.key.reshape(-1)[0]  # there is one per model, where several train together
        for name, view in experiment.views.items():
            if folder.chief:
                folder.picture(name, step, view(state, named(key, f"view/{name}")))


def verdict(experiment: Experiment, metrics: dict[str, Any]) -> dict[str, bool]:
    """Each expectation against the mean of its metric (over seeds, where there are several)."""
    return {
        key: key in metrics and expect.holds(float(np.mean(metrics[key])))
        for key, expect in experiment.expect.items()
    }


def in_words(metrics: dict[str, Any]) -> str:
    return "  ".join(f"{name} {np.mean(value):.5g}" for name, value in metrics.items())


def check_finite(
    names: tuple[str, ...], first: int, values: np.ndarray, folder: RunDir, batch_of: Any
) -> None:
    """Stop at the first NaN or infinite loss or gradient, and store its batch.

    Args:
        values: [k, m, ...], the metrics ``names`` of the steps from ``first`` on.
        batch_of: step -> host batch.

    Raises:
        Diverged: with the step, the player and where the batch is.
    """
    if np.isfinite(values).all():  # the rule: three arrays fewer in every step
        return
    guarded = [i for i, name in enumerate(names) if name.endswith(("/loss", "/grad_norm"))]
    if not guarded:
        return
    finite = np.isfinite(values[:, guarded]).reshape(len(values), len(guarded), -1).all(-1)
    if finite.all():
        return
    at, which = np.argwhere(~finite)[0]
    step, name = first + int(at), names[guarded[which]]
    player = name.rsplit("/", 1)[0]
    kept = folder.diverged(step, player, batch_of(step))
    saved = folder.path / "checkpoints"
    good = any(file.name.isdecimal() for file in saved.glob("*"))
    raise Diverged(
        f"{name} is {np.asarray(values[at, guarded[which]])} at step {step}: player {player!r} "
        f"diverged; its batch is in {kept}, "
        + (f"the last good checkpoint in {saved}" if good else "there is no checkpoint yet")
    )


def newest(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The newest value of every metric that was logged."""
    return {k: np.asarray(v) for row in rows for k, v in row.items() if k != "step"}
