"""The folder of a run: a record of its start, its metrics and pictures, never of two runs."""

import contextlib
import datetime
import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import numpy as np

from dljax.code import Origin, default_workdir, differing, made_last, store
from dljax.data import difference
from dljax.errors import UserError
from dljax.experiment import Experiment
from dljax.runtime.files import beside, read_json, read_rows, write_text, writes
from dljax.runtime.pictures import store_picture
from dljax.runtime.profile import Profile

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_LOCK = ".lock"
_BEGUN = {"code", "code.tmp", "record.json.tmp", _LOCK}  # left by a start that was killed
_PACKAGES = (
    "dljax",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "tensorflow-datasets",
    "grain",
    "numpy",
)


def choose_workdir(experiment: Experiment, named: str | Path | None) -> Path:
    """The folder that was named, or else the default one.

    Raises:
        UserError: none was named for an experiment that was built or changed by hand.
    """
    if named:
        return Path(named)
    if experiment.origin is None:
        raise UserError(
            "this experiment was built or changed by hand, so nothing tells its run from another: "
            "name a folder, run(experiment, profile, workdir)"
        )
    return default_workdir(experiment.origin)


def data_differs(then: dict[str, Any], now: dict[str, Any]) -> str:
    """The first difference between the data of a run and today's, in words; "" for none."""
    for name in sorted({*then, *now}):
        if name not in now:
            return f"there is no {name!r} any more"
        if what := difference(then.get(name, {}), now[name]):
            return f"{name!r} has {what}"
    return ""


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _commit() -> str | None:
    folder = Path(__file__).parent
    try:
        out = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12"],
            capture_output=True,
            text=True,
            timeout=5,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return out.stdout.strip() or None if out.returncode == 0 else None


def versions() -> dict[str, str]:
    """Versions of Python and of the installed packages that a run depends on, by name."""
    out = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            out[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pass
    return out


def _summary(values: dict[str, float]) -> Any:
    """One TensorBoard event for all values of a row.

    The writer's queue pickles each event, which costs more than all else done with a row.
    """
    from tensorboardX.proto.summary_pb2 import Summary

    tagged = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
    return Summary(value=tagged)


class RunDir:
    """A run's folder: record.json, its code, metrics.jsonl, TensorBoard events, pictures.

    Use as a context manager: no other run may use the folder until the end.

    Attributes:
        notice: a line about code or data that differ from an earlier run's; "" for none.
        chief: True on the one process that writes.
    """

    def __init__(self, path: Path, experiment: Experiment, profile: Profile, anyway: bool = False):
        """Claim the folder for this experiment.

        Args:
            anyway: go on in the folder of a run of other code or data, and record the new ones unless
                the run had finished.

        Raises:
            UserError: the folder cannot be written, or holds another experiment's run.
        """
        self.path = path
        self.notice = ""
        self.chief = jax.process_index() == 0
        self._metrics: Any = None
        self._board: Any = None
        self._wandb: Any = None
        self._lock: Any = None
        self._project = profile.wandb
        origin = experiment.origin or Origin()
        steps = [phase.steps for phase in experiment.phases]
        identity = {
            # tells two experiments apart that no file made
            "by hand": None if experiment.origin else {"steps": steps, "seed": experiment.seed},
            "experiment": origin.name,
            "knobs": dict(origin.knobs),
            "code": origin.code,
            "data": experiment.fingerprints(),
        }
        identity = json.loads(json.dumps(identity, default=str))
        record_file = path / "record.json"
        try:
            if record_file.is_file():
                record = read_json(record_file, experiment=str, knobs=dict, started=str)
                if record is None:
                    raise UserError(
                        f"{record_file} is damaged: this is no folder to go on in; use another --workdir"
                    )
                self._same(record, identity, anyway)
                if self.chief:
                    self._hold()
                    same = all(record.get(key) == identity[key] for key in ("code", "data"))
                    if not same and not self.finished():
                        earlier = [*record.get("earlier code", []), record.get("code")]
                        self._store(origin, {**record, **identity, "earlier code": earlier})
                return
            if path.exists() and not path.is_dir():
                raise UserError(f"--workdir {path} is a file: name a folder")
            if self.chief and path.is_dir() and {f.name for f in path.iterdir()} - _BEGUN:
                raise UserError(
                    f"{path} holds files that are no run of dljax: use an empty or a new folder"
                )
            if not self.chief:
                return
            self._hold()
            record = {
                **identity,
                "command": sys.argv,
                "file": origin.file,
                "profile": asdict(profile),
                "versions": versions(),
                "commit": _commit(),
                "host": platform.node(),
                "platform": platform.platform(),
                "cores": cores(),
                "devices": [str(d) for d in jax.devices()],
                "processes": jax.process_count(),
                "DLJAX_PLAIN": os.environ.get("DLJAX_PLAIN", ""),
                "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                "total_steps": experiment.total_steps,
                "claim": experiment.claim.name if experiment.claim else "",
                "expect": [str(e) for e in experiment.claim.expect] if experiment.claim else [],
            }
            last = made_last(path, origin.name, identity["knobs"])
            changed = differing(last[1], identity["code"]) if last else ""
            if last and changed:
                self.notice = f"a new run: {changed} changed since {last[0]}, which has these knobs"
            self._store(origin, record)
        except OSError as error:
            self.__exit__()
            raise UserError(
                f"--workdir {path} cannot be written: {error.strerror or error}"
            ) from None

    def _store(self, origin: Origin, record: dict[str, Any]) -> None:
        store(origin, self.path / "code")
        write_text(self.path / "record.json", json.dumps(record, indent=1, default=str) + "\n")

    def _same(self, record: dict[str, Any], identity: dict[str, Any], anyway: bool) -> None:
        for key, now in identity.items():
            then = record.get(key)
            if then == now:
                continue
            what = key
            ways_out = "use another --workdir"
            if key in ("code", "data"):
                names = (
                    differing(then or {}, now) if key == "code" else data_differs(then or {}, now)
                )
                if anyway:
                    self.notice = f"going on with other {key} than the run had so far: {names}"
                    continue
                what = f"its {key} has changed: {names}"
                ways_out += ", or --anyway to go on in it"
            elif isinstance(then, dict) and isinstance(now, dict):
                absent = object()
                name = next(k for k in {**then, **now} if then.get(k, absent) != now.get(k, absent))
                dashes = "--" if key == "knobs" and name.isidentifier() else ""
                what = f"{dashes}{name}: it had {then.get(name)}, you gave {now.get(name)}"
            elif key == "by hand":
                what = "one of them was changed by hand"
            elif key == "experiment":
                what = f"it is a run of {then}, not of {now}"
            raise UserError(f"{self.path} belongs to a different experiment ({what}): {ways_out}")

    def _hold(self) -> None:
        """Keep other runs out of the folder until this process ends, even by a kill.

        Raises:
            UserError: another run is in it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        if fcntl is None:
            return
        self._lock = (self.path / _LOCK).open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise UserError(
                f"another run is training in {self.path}: wait for its end, or use another --workdir"
            ) from None
        except OSError:  # a file system without locks
            pass

    @writes
    def open(self, step: int) -> None:
        """Start logging after ``step`` updates, and remove all that an interrupted run logged later.

        Raises:
            UserError: the folder cannot be written.
        """
        if not self.chief:
            return
        try:
            self._open(step)
        except OSError:
            self.close()
            raise

    def _open(self, step: int) -> None:
        file = self.path / "metrics.jsonl"
        if file.exists():
            kept = [row for row in read_metrics(self.path) if row["step"] <= step]
            write_text(file, "".join(json.dumps(row) + "\n" for row in kept))
        self._metrics = file.open("a", encoding="utf-8")
        from tensorboardX import SummaryWriter

        self._board = SummaryWriter(
            str(self.path / "tensorboard"), purge_step=step + 1, write_to_disk=True
        )
        if self._project:
            self._wandb = self._open_wandb()

    def _open_wandb(self) -> Any:
        try:
            import wandb
        except ImportError:
            raise UserError(
                "the profile logs to wandb, which is not installed: pip install 'dljax[wandb]'"
            ) from None
        record = json.loads((self.path / "record.json").read_bytes())
        identity = hashlib.sha256(
            f"{record['host']}{self.path.resolve()}{record['started']}".encode()
        )
        return wandb.init(
            project=self._project,
            name=self.path.name,
            id=identity.hexdigest()[:16],
            resume="allow",
            dir=str(self.path),
            config=record["knobs"],
        )

    @writes
    def log(self, step: int, values: dict[str, Any]) -> None:
        """Write a row of metrics after ``step`` updates; values are numbers, or arrays [seeds]."""
        if self._metrics is None:
            return
        row = {k: np.asarray(v, np.float64).tolist() for k, v in values.items()}
        self._metrics.write(json.dumps({"step": step, **row}) + "\n")
        self._metrics.flush()
        means = {name: float(np.mean(value)) for name, value in row.items()}
        self._board.file_writer.add_summary(_summary(means), step)
        if self._wandb is not None:
            self._wandb.log(means, step=step)

    @writes
    def picture(self, name: str, step: int, shown: Any) -> Path | None:
        """Store a look's picture or text; the file, or None on processes that write nothing."""
        if not self.chief:
            return None
        return store_picture(self.path / "pictures", f"{name}_{step:07d}", shown)

    @writes
    def diverged(self, step: int, player: str, batch: dict[str, np.ndarray]) -> Path:
        """Store the batch that made a loss or gradient NaN or infinite, as an npz file."""
        target = self.path / "failure" / f"step_{step:07d}_{player}.npz"
        if self.chief:
            target.parent.mkdir(exist_ok=True)
            with beside(target) as opened:
                np.savez(opened, **batch)  # type: ignore[arg-type]
        return target

    def finished(self) -> bool:
        """True where the run in this folder came to its end."""
        return read_result(self.path) is not None

    @writes
    def finish(
        self, steps: int, seconds: float, metrics: dict[str, Any], verdict: dict[str, bool]
    ) -> None:
        """Store the run's end as result.json."""
        if self.chief:
            result = {
                "steps": steps,
                "seconds": round(seconds, 1),
                "metrics": {k: np.asarray(v, np.float64).tolist() for k, v in metrics.items()},
                "verdict": verdict,
            }
            write_text(self.path / "result.json", json.dumps(result, indent=1) + "\n")

    def __enter__(self) -> "RunDir":
        return self

    def __exit__(self, *exception) -> None:
        if self._lock is not None:
            self._lock.close()

    def close(self) -> None:
        """Close the files and services that are logged to."""
        for log in (self._metrics, self._board):
            with contextlib.suppress(OSError):  # every row was flushed when it was logged
                if log is not None:
                    log.close()
        if self._wandb is not None:
            self._wandb.finish()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The rows of a run's metrics.jsonl: ``step``, and numbers or lists of them by metric."""
    return read_rows(path / "metrics.jsonl")


def read_result(path: Path) -> dict[str, Any] | None:
    """A run's result.json; None where the run has not finished, or the file is damaged."""
    kinds = {"steps": int, "metrics": dict, "verdict": dict}
    return read_json(path / "result.json", seconds=(int, float), **kinds)
