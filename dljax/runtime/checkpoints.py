"""Checkpoints, by Orbax, which no other module knows."""

import hashlib
import logging
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers as policies

from dljax.errors import UserError
from dljax.learner import State
from dljax.runtime.files import disk_full
from dljax.runtime.rundir import read_metrics

# Orbax reports every file it writes at INFO, harmless fallbacks at WARNING, and at ERROR, with a
# traceback, an exception that it then raises anyway.
logging.getLogger("absl").setLevel(logging.CRITICAL)


def _not_of_orbax(record: logging.LogRecord) -> bool:
    """False for asyncio's report of an error in Orbax.

    Orbax raises the first error of a failed save, and asyncio would log every other with a traceback.
    """
    trace = record.exc_info[2] if record.exc_info else None
    while trace:
        if trace.tb_frame.f_globals.get("__name__", "").startswith("orbax."):
            return False
        trace = trace.tb_next
    return True


logging.getLogger("asyncio").addFilter(_not_of_orbax)


def _raw(state: State) -> State:
    """The state with its typed key as integers, which can be stored."""
    return state._replace(key=jax.random.key_data(state.key))


def _apart(state: State) -> State:
    """Copy a state to other buffers; ``x.copy()`` would compile a program for each shape."""
    leaves, tree = jax.tree.flatten(state)
    shards = [shard for x in leaves for shard in x.addressable_shards]
    held = iter(jax.device_put([np.array(s.data) for s in shards], [s.device for s in shards]))
    copies = [
        jax.make_array_from_single_device_arrays(
            x.shape, x.sharding, [next(held) for _ in x.addressable_shards]
        )
        for x in leaves
    ]
    return jax.tree.unflatten(tree, copies)


def _tells_of_full_disk(error: BaseException) -> bool:
    """True for errors, also Orbax's and TensorStore's, that tell of a full disk."""
    return bool(
        re.search(r"No space left|ENOSPC|RESOURCE_EXHAUSTED.*writ|File too large|EFBIG", str(error))
    )


_SUMS = (
    "SHA256SUMS"  # in a step's folder: `sha256sum --check SHA256SUMS` there says what restore does
)


def _items(step: Path) -> dict[str, Path]:
    """The files of a saved state: path below the step's folder -> file.

    Left out are hidden files, and files directly in the folder: these are Orbax's notes, some of
    which it writes only when it gives the step its name.
    """
    found = [f for f in sorted(step.glob("*/**/*")) if f.is_file() and not f.name.startswith(".")]
    return {f.relative_to(step).as_posix(): f for f in found}


def _sum(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _check(step: Path) -> None:
    """Compare a step's files with the digests that were saved beside them; older runs have none.

    Of several processes each reads a share of the files.

    Raises:
        ValueError: a file is not as it was saved.
    """
    if not (step / _SUMS).exists():
        return
    lines = (step / _SUMS).read_text(encoding="utf-8").removesuffix("\n").split("\n")
    saved = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    files = _items(step)
    if missing := sorted(saved.keys() ^ files.keys()):
        raise ValueError(f"{missing[0]} is not as it was saved")
    for name, file in list(files.items())[jax.process_index() :: jax.process_count()]:
        if _sum(file) != saved[name]:
            raise ValueError(f"{name} is not as it was saved")


class _Manager(ocp.CheckpointManager):
    def reached_preemption(self, step: int) -> bool:
        """False always: ``signals.Stop`` asks jax instead.

        Each question has a count, and jax answers yes at one count only, which one of two who ask
        would have passed.
        """
        return False

    def metrics(self, step: int) -> Any:
        """The step's metrics, None where they cannot be read: a damaged note must not cost the state."""
        try:
            return super().metrics(step)
        except Exception:
            return None


class Ranks:
    """Scores of steps by each phase's ranking metric; the higher, the better."""

    def __init__(self, rankings: Sequence[tuple[str, str] | None]):
        self._rankings = [ranking for ranking in rankings if ranking]
        self._scores: dict[str, dict[int, float]] = {metric: {} for metric, _ in self._rankings}

    def note(self, step: int, metrics: Mapping[str, Any]) -> None:
        """Note the metrics of a step; NaN and infinite ones do not rank it."""
        for metric, sign in self._rankings:
            value = float(np.mean(metrics.get(metric, math.nan)))
            if math.isfinite(value):
                self._scores[metric][step] = value if sign == ">=" else -value

    def best(self, steps: Sequence[int]) -> list[int]:
        """The best of ``steps`` by each metric, in the order of the phases; of two equals the older."""
        out = []
        for metric, _ in self._rankings:
            scores = {s: x for s, x in sorted(self._scores[metric].items()) if s in set(steps)}
            if scores:
                out.append(max(scores, key=lambda step: scores[step]))
        return out


@dataclass
class _Best(policies.PreservationPolicy):
    ranks: Ranks

    def should_preserve(self, checkpoints, *, context) -> list[bool]:
        best = self.ranks.best([info.step for info in checkpoints])
        return [info.step in best for info in checkpoints]


class Checkpoints:
    """The checkpoints of one run: the newest ``keep`` and each phase's best, saved in the background.

    A checkpoint appears complete or not at all. Its step is measured after the save, so the scores
    come later, and from metrics.jsonl where a run goes on. Use as a context manager: leaving it
    waits for the last save.
    """

    def __init__(
        self,
        workdir: Path,
        keep: int,
        rankings: Sequence[tuple[str, str] | None] = (),
        read_only: bool = False,
    ):
        """Open the checkpoints of the run in ``workdir``.

        Args:
            keep: number of newest checkpoints that are kept.
            rankings: of each phase, the (metric, ">=" or "<=") by which its best is chosen, or None.
            read_only: leave the folder as it is; a run may be writing to it.

        Raises:
            UserError: the folder cannot be written.
        """
        self.read_only = read_only
        self.folder = (workdir / "checkpoints").absolute()
        self._ranks = Ranks(rankings)
        options = ocp.CheckpointManagerOptions(
            preservation_policy=policies.AnyPreservationPolicy(
                [policies.LatestN(keep), _Best(self._ranks)]
            ),
            cleanup_tmp_directories=not read_only,
            read_only=read_only,
            async_options=ocp.AsyncOptions(post_finalization_callback=self._seal),
        )
        try:
            self.manager = _Manager(self.folder, options=options)
            steps = set(self.manager.all_steps())
            for row in read_metrics(workdir):  # later ones go when the run goes on
                if row["step"] in steps:
                    self._ranks.note(row["step"], row)
        except OSError as error:
            raise self.failure(error) from None

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, kind, error, trace) -> None:
        try:
            self.manager.close()
        except Exception as failed:
            if error is None:
                raise self.failure(failed) from failed

    def failure(self, error: BaseException) -> UserError:
        """The error for a save that failed."""
        if _tells_of_full_disk(error):
            return UserError(disk_full(self.folder))
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        return UserError(f"{self.folder} could not be written: {first}")

    def latest(self) -> int | None:
        """The newest step, or None."""
        return self.manager.latest_step()

    def best(self) -> int | None:
        """The best step of the last phase that was measured; None without any."""
        best = self._ranks.best(self.all())
        return best[-1] if best else None

    def note(self, step: int, metrics: Mapping[str, Any]) -> None:
        """Note the metrics of a step, by which it is ranked."""
        self._ranks.note(step, metrics)

    def all(self) -> list[int]:
        """All steps, the oldest first."""
        return sorted(self.manager.all_steps())

    def save(self, step: int, state: State) -> None:
        """Start saving ``state`` as ``step``; training may go on, and donate the state, at once.

        Raises:
            UserError: it cannot be written.
        """
        if step in self.manager.all_steps():
            return
        raw = _raw(state)
        if jax.default_backend() == "cpu":
            # There the host "copy" of a buffer is the buffer, which the next step overwrites.
            raw = _apart(raw)
        try:
            self.manager.save(step, args=ocp.args.StandardSave(raw))
        except Exception as error:
            raise self.failure(error) from error

    def _seal(self) -> None:
        """Store the digests of the step that is being written.

        Called in the background, on one process, when all files are there and before the step gets
        its name.
        """
        for step in self.folder.glob("*.orbax-checkpoint-tmp*"):
            lines = [f"{_sum(file)}  {name}\n" for name, file in _items(step).items()]
            (step / _SUMS).write_text("".join(lines), encoding="utf-8")

    def wait(self) -> None:
        """Wait for the end of all saves.

        Raises:
            UserError: one could not be written.
        """
        try:
            self.manager.wait_until_finished()
        except Exception as error:
            raise self.failure(error) from error

    def restore(self, step: int, abstract: State) -> State:
        """The state saved as ``step``, placed by the shardings of ``abstract``.

        Raises:
            UserError: it is damaged, or another model's.
        """
        key: Any = abstract.key
        data = jax.eval_shape(jax.random.key_data, key)
        target: Any = abstract._replace(
            key=jax.ShapeDtypeStruct(data.shape, data.dtype, sharding=key.sharding)  # type: ignore[arg-type]
        )
        try:
            _check(self.folder / str(step))
            restored = self.manager.restore(step, args=ocp.args.StandardRestore(target))
            mismatch = [
                jax.tree_util.keystr(path)
                for (path, want), got in zip(
                    jax.tree_util.tree_leaves_with_path(target),
                    jax.tree.leaves(restored),
                    strict=True,
                )
                if want.shape != got.shape
            ]
            if mismatch:
                raise ValueError(f"shapes differ at {mismatch[0]}")
        except Exception as error:
            raise self._unreadable(step, error) from None
        return restored._replace(key=jax.random.wrap_key_data(restored.key))

    def _unreadable(self, step: int, error: Exception) -> UserError:
        first = (str(error).strip() or type(error).__name__).splitlines()[0].split(". ")[0]
        older = [s for s in self.all() if s < step]
        ways = f"remove {self.folder / str(step)} to go on from " + (
            f"step {older[-1]}" if older else "the start"
        )
        if self.read_only:
            ways = f"it is unchanged; there are steps {', '.join(map(str, self.all()))}"
        return UserError(
            f"checkpoint {step} is damaged or of another model ({first[:200]}); {ways}"
        )

    def raw(self, step: int, names: Sequence[str]) -> dict[str, Any]:
        """Fields of the state saved as ``step``, read without its learner.

        Args:
            names: of fields, such as "params".

        Returns:
            name -> nested dicts of NumPy arrays on the host, whatever devices they were saved from.

        Raises:
            UserError: it is damaged.
        """
        try:
            _check(self.folder / str(step))
            with ocp.PyTreeCheckpointer() as checkpointer:
                folder = self.folder / str(step) / "default"
                tree = checkpointer.metadata(folder).item_metadata.tree
                wanted = {name: tree[name] for name in names}
                on_host = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), wanted)
                args = ocp.args.PyTreeRestore(wanted, restore_args=on_host, partial_restore=True)
                return checkpointer.restore(folder, args=args)
        except Exception as error:  # Orbax and TensorStore raise many kinds on damaged files
            raise self._unreadable(step, error) from None
