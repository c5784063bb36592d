"""Measurements that do not change a state: metrics, looks, the verdict."""

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from dljax.errors import UserError
from dljax.experiment import Experiment, Phase
from dljax.learner import State, named
from dljax.runtime.execute import Jit
from dljax.runtime.pictures import picture_or_text
from dljax.runtime.rundir import RunDir
from dljax.types import Key, Measures, Variables

_AHEAD = 8  # batches of an evaluation on their way at most


class Diverged(UserError):
    """A loss or gradient became NaN or infinite."""

    status = 1


def known(executor: Jit, phase: Phase) -> set[str]:
    """Names of all metrics of a phase, the numbers of its looks apart."""
    names = set(executor.names)
    for name, data in phase.evals.items():
        found = executor.measures(next(data.batches(executor.eval_rows)), data.whole)
        names |= {f"{name}/{metric}" for metric in found}
    return names


def evaluate(executor: Jit, phase: Phase, state: State) -> dict[str, Any]:
    """Metrics of every eval set, total over count: float64, or an array [seeds] where there are several.

    The host waits for no batch, except to have at most a few on their way.
    """
    out: dict[str, Any] = {}
    for name, data in phase.evals.items():
        sums: list[Measures] = []
        for number, batch in enumerate(data.batches(executor.eval_rows)):
            sums.append(executor.evaluate(state, batch, number, data.whole))
            jax.block_until_ready(sums[-_AHEAD:][:1] if number >= _AHEAD else [])
        for metric in sums[0]:
            given = jax.device_get([each[metric] for each in sums])
            total, count = (
                np.sum(np.asarray(x, np.float64), axis=0) for x in zip(*given, strict=True)
            )
            with np.errstate(invalid="ignore", divide="ignore"):
                out[f"{name}/{metric}"] = total / count
    return out


def look(
    phase: Phase, prefix: str, folder: RunDir, variables: Variables, key: Key, step: int
) -> tuple[dict[str, float], list[str]]:
    """Look at a phase's variables: numbers and complaints; pictures and texts are stored.

    A look that fails costs no more than its picture: it becomes a complaint, one line.

    Args:
        prefix: of the phase, for the files' names.
        variables: copies on this process (``local_copy``).
    """
    numbers: dict[str, float] = {}
    complaints = []
    for name, each in phase.looks.items():
        try:
            shown = each(variables, named(key, f"view/{name}"))
            if isinstance(shown, Mapping):
                numbers |= {f"{name}/{k}": float(v) for k, v in shown.items()}
                continue
            shown = picture_or_text(name, shown)
        except (Exception, SystemExit) as error:
            complaints.append(f"look {name!r} failed at step {step}: {in_a_line(error)}")
        else:
            folder.picture(f"{prefix}{name}".replace("/", "_"), step, shown)
    return numbers, complaints


def in_a_line(error: BaseException) -> str:
    """An exception in one line, with the file and line that raised it; a UserError as it is."""
    first = (str(error).strip() or "no message").splitlines()[0]
    if isinstance(error, UserError):
        return first
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {first} ({Path(last.filename).name}:{last.lineno})"


def verdict(experiment: Experiment, metrics: dict[str, Any]) -> dict[str, bool]:
    """Expectation -> True where the mean of its metric over seeds meets it.

    Empty without a claim, where the knobs are not the claim's, and where it is about a sweep.
    """
    claim = experiment.claim
    if claim is None or experiment.apart or claim.sweep:
        return {}
    return {
        str(expect): expect.holds(float(np.mean(metrics.get(expect.metric, np.nan))))
        for expect in claim.expect
    }


def told(experiment: Experiment, metrics: dict[str, Any]) -> list[str]:
    """The verdict in lines of words; where there is none, the numbers and the reason."""
    claim, held = experiment.claim, verdict(experiment, metrics)
    if claim is None:
        return []
    lines = []
    for expect in claim.expect:
        value = f"{np.mean(metrics.get(expect.metric, np.nan)):.5g}"
        if str(expect) in held:
            mark = "met" if held[str(expect)] else "NOT MET"
            lines.append(
                f"{mark}: {expect.metric} = {value}, expected {expect.sign} {expect.bound:g}"
            )
        else:
            lines.append(f"{expect.metric} = {value}")
    if experiment.apart:
        knobs = ", ".join(f"--{name}" for name in experiment.apart)
        lines.append(f"no verdict: claim {claim.name!r} has another {knobs}")
    elif claim.sweep:
        lines.append(f"no verdict: claim {claim.name!r} is about dljax sweep {claim.sweep}")
    return lines


def in_words(metrics: dict[str, Any]) -> str:
    """Metrics in a line, means where there are several seeds."""
    return "  ".join(f"{name} {np.mean(value):.5g}" for name, value in metrics.items())


def check_finite(
    names: tuple[str, ...], first: int, values: np.ndarray, folder: RunDir, batch_of: Any
) -> None:
    """Stop at the first NaN or infinite loss or gradient, and store its batch.

    Args:
        values: [k, names, ...], the metrics of ``k`` steps from ``first`` on.
        batch_of: step -> host batch.

    Raises:
        Diverged: with the step, the player and the file of the batch.
    """
    if np.isfinite(values).all():  # nearly always; spares three arrays in every step
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
