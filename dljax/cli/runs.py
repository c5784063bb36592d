"""Opening a run's folder again: its experiment, and a checkpoint of it."""

import dataclasses
import itertools
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dljax.cli.opening import open_experiment
from dljax.errors import UserError
from dljax.knobs import read_knobs
from dljax.runtime.profile import Profile

if TYPE_CHECKING:
    from dljax.experiment import Experiment, Phase
    from dljax.learner import State
    from dljax.runtime.execute import Jit

# In a record's knobs: the seeds that were trained together (dljax sweep). No knob can be called that.
SEEDS = "seeds together"


def read_record(path: Path) -> dict[str, Any]:
    """What a run's folder says of its start.

    Raises:
        UserError: this is no folder of a run.
    """
    file = path / "record.json"
    # os.path's, which says no to a word that is too long for a file's name, where Path's raises.
    if not (os.path.isfile(file) and os.path.isfile(path / "experiment.py")):
        what = "holds no run (no record.json)" if os.path.isdir(path) else "does not exist"
        raise UserError(f"{path} {what}: name a run's folder, or an experiment file")
    try:
        return json.loads(file.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise UserError(f"{file} is damaged: the run cannot be opened") from None


def experiment_of_run(
    path: Path, record: Mapping[str, Any], words: Mapping[str, Any]
) -> "Experiment":
    """The experiment of a run, from the text in its folder, with some knobs changed."""
    if record.get("by hand"):
        raise UserError(
            f"{path}: its experiment was changed by hand, which its file does not tell: open it from "
            "Python, with dljax.run"
        )
    file = path / "experiment.py"
    then = dict(record["knobs"])
    seeds = then.pop(SEEDS, [])
    knobs = read_knobs(file).resolve({**then, **words})
    lay = Path(record.get("folder") or path) / f"{record['experiment']}.py"
    experiment = open_experiment(file, knobs, of=lay)
    return together(experiment, seeds) if seeds else experiment


def together(experiment: "Experiment", seeds: Sequence[int]) -> "Experiment":
    """The experiment with a model for each of ``seeds`` in one program; pictures show the first."""
    from dljax.experiment import Experiment
    from dljax.learner import many_seeds

    phases = (
        dataclasses.replace(phase, learner=many_seeds(phase.learner, len(seeds)))
        for phase in experiment.phases
    )
    origin = experiment.origin
    assert origin is not None
    origin = origin._replace(knobs={**origin.knobs, SEEDS: list(seeds)})
    return Experiment(*phases, seed=tuple(seeds)).of(origin, experiment.claim, experiment.apart)


class Opened(NamedTuple):
    """A checkpoint: the phase that it is of, that phase's executor, the whole state."""

    phase: "Phase"
    prefix: str
    executor: "Jit"
    state: "State"
    step: int


def open_checkpoint(
    experiment: "Experiment",
    path: Path,
    profile: Profile,
    step: int | None = None,
    best: bool = False,
) -> Opened:
    """A run's newest checkpoint, its best, or that of ``step``; the folder is only read.

    Raises:
        UserError: there is none.
    """
    from dljax.runtime.checkpoints import Checkpoints
    from dljax.runtime.execute import make_executor

    if not (path / "checkpoints").is_dir():
        raise UserError(f"{path} holds no checkpoint yet")
    rankings = [experiment.ranking(i) for i in range(len(experiment.phases))]
    with Checkpoints(path, 1, rankings, read_only=True) as saved:
        steps = saved.all()
        if not steps:
            raise UserError(f"{path} holds no checkpoint yet")
        if step is not None and step not in steps:
            raise UserError(f"{path} holds no step {step}; it has {', '.join(map(str, steps))}")
        if best and saved.best() is None:
            raise UserError(f"{path} has no best checkpoint: none was measured when it was saved")
        chosen = step if step is not None else saved.best() if best else saved.latest()
        assert chosen is not None
        ends = list(itertools.accumulate(phase.steps for phase in experiment.phases))
        index = next((i for i, end in enumerate(ends) if chosen <= end), len(ends) - 1)
        phase = experiment.phases[index]
        executor = make_executor(profile, phase.learner, phase.data)
        state = saved.restore(chosen, executor.abstract)
        return Opened(phase, experiment.prefix(index), executor, state, chosen)
