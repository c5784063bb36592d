"""Runs opened from their folders: the experiment and a checkpoint of it."""

import argparse
import dataclasses
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dljax.cli.opening import open_experiment, start
from dljax.code import PACKAGE, Origin, default_workdir, differing, lay_out
from dljax.errors import UserError, nearest
from dljax.knobs import read_knobs
from dljax.runtime.files import read_json
from dljax.runtime.profile import Profile, load_profile

if TYPE_CHECKING:
    from dljax.experiment import Experiment, Phase, Start
    from dljax.learner import State
    from dljax.runtime.execute import Jit

# Key in a record's knobs, which no knob can have: seeds that were trained together (dljax sweep).
SEEDS = "seeds together"
# Other such keys: the run that this one began from (dljax train --init), and what stayed fresh.
INIT, FRESH = "--init", "--fresh"
# Environment variable: the folder of stored code in front of this process's path.
_STORED = "DLJAX_STORED_CODE"


def read_record(path: Path) -> dict[str, Any]:
    """The record of a run's start, record.json.

    Raises:
        UserError: this is no folder of a run, it is damaged, or no experiment file made the run.
    """
    file = path / "record.json"
    # os.path.isfile is False for a word too long for a path, where pathlib's raises.
    if not os.path.isfile(file):
        what = "holds no run (no record.json)" if os.path.isdir(path) else "does not exist"
        raise UserError(f"{path} {what}: name a run's folder, or an experiment file")
    record = read_json(file, knobs=dict, code=dict)
    if record is None:
        raise UserError(f"{file} is damaged: the run cannot be opened")
    if not record.get("file"):
        raise UserError(
            f"{path}: no file tells its experiment, which was built or changed by hand: open it from "
            "Python, with dljax.run"
        )
    return record


def add_now(parser: argparse.ArgumentParser) -> None:
    """Add --now."""
    parser.add_argument(
        "--now", action="store_true", help="open the run with today's code, not with its own"
    )


def add_which(parser: argparse.ArgumentParser) -> None:
    """Add --best and --step, of which one may be given."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--best", action="store_true", help="the best checkpoint, not the newest")
    which.add_argument("--step", type=int, help="the checkpoint of this step")


def opened_elsewhere(
    command: str, argv: Sequence[str], path: Path, record: Mapping[str, Any], now: bool
) -> int | None:
    """Run a command on a run in another process that imports the run's stored code.

    Returns:
        The command's exit status; None where this process should open the run: today's code is equal
        or was asked for, or this is that other process.
    """
    if now or _STORED in os.environ:
        return None
    file, code = Path(record["file"]), path / "code"
    if file.is_file():
        try:
            why = differing(record["code"], Origin.of_file(file, {}).code)
        except UserError as error:
            why = str(error)
        if not why:
            return None
    else:
        why = f"{file} is gone"
    if not code.is_dir():
        raise UserError(f"{code} is gone, the code of this run ({why}): --now takes today's")
    print(
        f"{path}: opened with the code that it stored ({why}); --now takes today's", file=sys.stderr
    )
    with tempfile.TemporaryDirectory(prefix="dljax-") as folder:
        front = Path(folder)
        lay_out(code, file.resolve().parent, front)
        places = PACKAGE.parent / "configs"
        if places.is_dir() and not (front / "configs").exists():
            (front / "configs").symlink_to(places)
        paths = [folder, *filter(None, [os.environ.get("PYTHONPATH")])]
        done = subprocess.run(
            [sys.executable, "-P", "-m", "dljax", command, *argv],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), _STORED: folder},
        )
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


def experiment_of_run(
    path: Path, record: Mapping[str, Any], words: Mapping[str, Any]
) -> "Experiment":
    """The experiment of a run, with some knobs changed.

    It is made of the run's file or, in the process that ``opened_elsewhere`` starts, of the run's
    stored code.

    Args:
        words: knob -> word of the command line.

    Raises:
        UserError: the file is gone, or the stored code differs from the recorded digests.
    """
    file, front = Path(record["file"]), os.environ.get(_STORED)
    if front:
        file = Path(front) / file.name
    elif not file.is_file():
        raise UserError(f"{file} is gone: leave out --now")
    then = dict(record["knobs"])
    seeds = then.pop(SEEDS, [])
    begun = then.pop(INIT, None)  # a run that has begun needs no start
    then.pop(FRESH, None)
    experiment = open_experiment(file, read_knobs(file).resolve({**then, **words}))
    assert experiment.origin
    if front and (names := differing(record["code"], experiment.origin.code)):
        raise UserError(
            f"{path / 'code'} is not what the run recorded ({names}); --now does without"
        )
    if begun:
        apart = (*experiment.apart, "init")
        experiment = experiment.of(experiment.origin, experiment.claim, apart)
    return together(experiment, seeds) if seeds else experiment


def together(experiment: "Experiment", seeds: Sequence[int]) -> "Experiment":
    """The experiment with a model for each of ``seeds`` in one program; looks see the first."""
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


def begun_with(source: Path | None, fresh: str = "") -> dict[str, str]:
    """The knobs in the record of a run that began from ``source``; none for None.

    Raises:
        UserError: ``fresh`` without a source.
    """
    if source is None:
        if fresh:
            raise UserError(f"--fresh {fresh} without --init: a run of its own is fresh altogether")
        return {}
    return {INIT: str(source.resolve()), **({FRESH: fresh} if fresh else {})}


def begun_from(
    experiment: "Experiment", source: Path, workdir: Path | None, fresh: str = ""
) -> "Experiment":
    """The experiment, started from the variables of another run's newest checkpoint, or of a file.

    Args:
        source: a run's folder, or a file of weights of the experiment's one network.
        workdir: named for the new run, if one was. A run that has begun there, or in its default
            folder, goes on also where ``source`` is gone.
        fresh: paths of layers that stay as they are initialized, with commas between, beside those
            of the first phase's ``Anew``.

    Raises:
        UserError: ``source`` is neither.
    """
    from dljax.experiment import Experiment

    first, *rest = experiment.phases
    first = dataclasses.replace(first, start=_beginning(first, source, fresh))
    origin = experiment.origin
    assert origin is not None
    origin = origin._replace(knobs={**origin.knobs, **begun_with(source, fresh)})
    if (
        not source.is_file()
        and not ((workdir or default_workdir(origin)) / "record.json").is_file()
    ):
        read_record(source)
    made = Experiment(first, *rest, seed=experiment.seed)
    return made.of(origin, experiment.claim, (*experiment.apart, "init"))


def _beginning(phase: "Phase", source: Path, fresh: str) -> "Start":
    """The start of ``begun_from``."""
    from flax.traverse_util import flatten_dict

    from dljax import weights
    from dljax.cli.modules import map_of, of_phase
    from dljax.experiment import Anew

    layers = [name.strip("/") for name in fresh.split(",")] if fresh else []

    def within(path: str, layer: str) -> bool:
        return f"{path.partition('/')[2]}/".startswith(f"{layer}/")

    def keep(path: str) -> bool:
        own = isinstance(phase.start, Anew) and phase.start.paths(path)
        return own or any(within(path, layer) for layer in layers)

    begin = weights.from_run(source, keep=keep)
    if source.is_file():
        begin = weights.load(source, map_of(of_phase(phase)), keep=keep)
    if not layers:
        return begin

    def start(before: "State | None", state: "State") -> "State":
        here = {
            f"params/{p}" for tree in state.params.values() for p in flatten_dict(tree, sep="/")
        }
        for layer in layers:
            if not any(within(path, layer) for path in here):
                found = sorted({path.split("/")[1] for path in here})
                raise UserError(f"--fresh {layer}: no such layer; {nearest(layer, found)}")
        return begin(before, state)

    return start


class Opened(NamedTuple):
    """A checkpoint, opened.

    Attributes:
        phase: the phase that was being trained.
        prefix: of the phase's metrics.
        executor: of the phase.
        state: restored and placed.
        step: of the run.
    """

    phase: "Phase"
    prefix: str
    executor: "Jit"
    state: "State"
    step: int


def open_run(path: Path, record: Mapping[str, Any], options: argparse.Namespace) -> "Opened":
    """A run's experiment and one of its checkpoints, on the profile of the options --on, --step, --best.

    Nothing of jax may be imported before.
    """
    profile = load_profile(options.on)
    start(profile)
    experiment = experiment_of_run(path, record, {})
    return open_checkpoint(experiment, path, profile, options.step, options.best)


def open_checkpoint(
    experiment: "Experiment",
    path: Path,
    profile: Profile,
    step: int | None = None,
    best: bool = False,
) -> Opened:
    """Open a run's newest checkpoint, its best or the one of ``step``; nothing is written.

    Raises:
        UserError: there is no such checkpoint, or it is damaged.
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
