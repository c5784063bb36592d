"""The log: metrics on their way to files, to the ranks of checkpoints and to the screen."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from dljax.errors import UserError
from dljax.learner import State
from dljax.runtime.checkpoints import Checkpoints
from dljax.runtime.execute import Jit
from dljax.runtime.measure import evaluate, in_a_line, in_words, look, newest
from dljax.runtime.processes import local_copy
from dljax.runtime.progress import Progress
from dljax.runtime.rundir import RunDir, read_metrics
from dljax.runtime.stage import Stage


class EvaluationFailed(UserError):
    """An evaluation raised an error; the state before it is saved."""

    status = 1


class Log:
    """The metrics of a run.

    Attributes:
        newest: metric -> its newest value; an array [seeds] where there are several.
    """

    def __init__(self, folder: RunDir, saved: Checkpoints, progress: Progress):
        self.folder, self.saved, self.progress = folder, saved, progress
        self.newest: dict[str, Any] = {}

    def read(self) -> None:
        """Take up the metrics that are in the run's folder."""
        self.newest = newest(read_metrics(self.folder.path))

    def step(self, stage: Stage, row: dict[str, Any], done: int, write: bool) -> None:
        """Note the metrics of a step; they are in files only where ``write``."""
        row = {stage.prefix + name: value for name, value in row.items()}
        self.newest.update(row)
        if write:
            self.folder.log(done, row)
        self.progress.step(done, row)

    def measure(self, stage: Stage, executor: Jit, state: State, done: int) -> None:
        """Evaluate and look at a state, log the numbers and rank this step's checkpoint by them.

        Raises:
            EvaluationFailed: an evaluation raised an error.
        """
        try:
            measured = evaluate(executor, stage.phase, state)
        except Exception as error:
            self.saved.save(done, state)
            self.saved.wait()
            raise EvaluationFailed(
                f"the evaluation at step {done} failed: {in_a_line(error)}; the state is saved in "
                f"{self.folder.path}: mend the code, and go on there with --anyway"
            ) from error
        variables = local_copy(executor.learner.chosen(state))
        key = local_copy(state.key).reshape(-1)[0]  # of several models, the first one's
        numbers, complaints = look(stage.phase, stage.prefix, self.folder, variables, key, done)
        others = {*measured, *executor.names}
        for name in numbers.keys() & others:
            complaints.append(f"look number {name!r} is also a metric: call the look otherwise")
            del numbers[name]
        for old in self.newest:
            name = old.removeprefix(stage.prefix)
            # A look that failed has no number now: one from before must not be taken for it.
            if name.rpartition("/")[0] in stage.phase.looks and name not in others:
                if old.startswith(stage.prefix):
                    numbers.setdefault(name, np.nan)
        found = {stage.prefix + name: value for name, value in {**measured, **numbers}.items()}
        for name, value in found.items():
            if not np.isfinite(value).all():
                complaints.append(f"{name} is {value} at step {done}")
        for line in complaints:
            self.progress.say(line)
        self.newest.update(found)
        if found:
            self.folder.log(done, found)
            self.progress.say(f"step {done}  {in_words(found)}")
        self.rank(stage, [*executor.names, *measured, *numbers], done)

    def rank(self, stage: Stage, names: Iterable[str], done: int) -> None:
        """Rank this step's checkpoint by its metrics of these names."""
        self.saved.note(done, {stage.prefix + n: self.newest[stage.prefix + n] for n in names})

    def lacks(self, stage: Stage, done: int) -> bool:
        """True where evaluations and looks after ``done`` steps are due but nothing came of them."""
        parts = [f"{stage.prefix}{name}" for name in (*stage.phase.evals, *stage.phase.looks)]
        if not parts or self.folder.finished():
            return False
        names = {n for row in read_metrics(self.folder.path) if row["step"] == done for n in row}
        if any(name.startswith(tuple(f"{part}/" for part in parts)) for name in names):
            return False
        pictures = self.folder.path / "pictures"
        return not any(
            True for part in parts for _ in pictures.glob(f"{part.replace('/', '_')}_{done:07d}.*")
        )
