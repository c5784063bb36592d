"""Starts of a phase: from a file of weights, from another run.

A start is (the last phase's final state or None, a fresh state) -> the phase's first state. The starts
here give some players other variables; all other players go on as by ``experiment.go_on``.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dljax.axes import ROWS
from dljax.errors import UserError
from dljax.experiment import Start, go_on
from dljax.learner import State
from dljax.types import PyTree
from dljax.weights.files import read
from dljax.weights.mapping import Entry, mismatch, some, to_variables

_TRIES = 3  # of reading a run's newest checkpoint, which may be deleted meanwhile


def load(
    file: str | Path,
    entries: Iterable[Entry] | Callable[[Iterable[str]], Iterable[Entry]],
    player: str = "model",
    keep: Callable[[str], bool] = lambda path: False,
    within: str = "",
) -> Start:
    """The start of a player from a file of weights, which is read when the phase begins.

    Args:
        file: of a kind that ``read`` knows, with the names of ``entries``.
        entries: or a function of the file's names that returns them, where there are several kinds of
            file for one network.
        within: as in ``read``.
        keep: path ("params/head/kernel") -> True where that variable stays fresh, e.g. a classifier's
            last layer; the file may have it in any shape, or not at all.

    Raises:
        UserError: (the start) the file cannot be read, an array is missing, unknown or of another
            shape, or there is no such player.
    """
    given = entries if callable(entries) else list(entries)

    def start(before: State | None, fresh: State) -> State:
        like = {"params": fresh.params.get(player, {}), **fresh.extra.get(player, {})}
        state = read(file, within)
        known = given(state) if callable(given) else given
        named = [e._replace(path="") if e.path and keep(e.path) else e for e in known]
        try:
            found = to_variables(named, state, like)
        except UserError as error:
            raise UserError(f"{file}: {error}") from None
        return _begin(before, fresh, {player: found}, str(file), keep)

    return start


def from_run(
    run: str | Path,
    players: Sequence[str] | None = None,
    rename: Mapping[str, str] | None = None,
    step: int | None = None,
    keep: Callable[[str], bool] = lambda path: False,
) -> Start:
    """The start of some players from a checkpoint of another run.

    They begin with the variables by which that run is evaluated: the moving average where it has
    one. Its folder is only read, and may belong to a run that is training.

    Args:
        players: of that run; by default all.
        rename: its name of a player -> the name here, where they differ.
        step: of the checkpoint; by default the newest.
        keep: as in ``load``.

    Raises:
        UserError: (the start) there is no such run, step or player, or one is of another shape.
    """

    def start(before: State | None, fresh: State) -> State:
        raw = restore_raw(run, step)
        if np.ndim(raw["step"]) and not jnp.ndim(fresh.step):
            raw = jax.tree.map(lambda x: x[0], raw)  # the first of several seeds
        params, extra = _in_use(raw)
        wanted = list(params) if players is None else players
        absent = [name for name in wanted if name not in params]
        if absent:
            raise UserError(f"{run} has no player {some(absent)}; it has {', '.join(params)}")
        here = dict(rename or {})
        found = {
            here.get(name, name): {"params": params[name], **(extra.get(name) or {})}
            for name in wanted
        }
        return _begin(before, fresh, found, str(run), keep)

    return start


def restore_raw(run: str | Path, step: int | None = None) -> dict[str, Any]:
    """Step, params, extra and ema of a run's checkpoint (by default the newest), without its learner.

    Returns:
        A dict with these keys: nested dicts of NumPy arrays, on the host whatever devices they were
        saved from; ``ema`` may be None.

    Raises:
        UserError: the folder has no checkpoint, or not that one, or it is damaged.
    """
    from dljax.runtime.checkpoints import Checkpoints

    run = Path(run)
    nothing = f"{run} holds no checkpoint: name the folder of a run that has saved one"
    if not (run / "checkpoints").is_dir():
        raise UserError(nothing)
    left = _TRIES if step is None else 1
    while True:
        with Checkpoints(run, 1, read_only=True) as saved:
            steps = saved.all()
            if not steps:
                raise UserError(nothing)
            chosen = steps[-1] if step is None else step
            if chosen not in steps:
                raise UserError(f"{run} holds no step {step}; it has {', '.join(map(str, steps))}")
            try:
                return saved.raw(chosen, ("step", "params", "extra", "ema"))
            except UserError as error:
                left -= 1
                if not left:
                    raise UserError(f"{run}: {error}") from None
        time.sleep(0.5)  # it is being trained: that checkpoint made way for a newer one


def _in_use(raw: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(params, extra) by player, as ``Learner.chosen`` has them: ``keep_best``'s, or the average."""
    best = raw["extra"].get("best") or {}
    if set(best) == {"score", "step", "params", "extra"}:
        return best["params"], best["extra"]
    return raw["ema"] or raw["params"], raw["extra"]


def _begin(
    before: State | None,
    fresh: State,
    found: Mapping[str, Mapping[str, PyTree]],
    source: str,
    keep: Callable[[str], bool],
) -> State:
    """The first state of a phase in which the players of ``found`` have those variables."""
    absent = [name for name in found if name not in fresh.params]
    if absent:
        players = ", ".join(fresh.params)
        raise UserError(f"{source}: this phase has no player {some(absent)}; it has {players}")
    if before is not None:
        rest = {name: tree for name, tree in before.params.items() if name not in found}
        before = before._replace(params=rest)

    def stays(path: str) -> bool:
        """True also of what is kept for a batch's rows, which is of no file and no other run's batch."""
        return keep(path) or path.split("/")[0] == ROWS

    state = go_on(before, fresh)
    params, extra, ema = dict(state.params), dict(state.extra), dict(state.ema or {})
    for name, variables in found.items():
        here = {"params": fresh.params[name], **fresh.extra.get(name, {})}
        filled = _filled(here, variables, stays, f"{source} does not fit player {name!r}")
        params[name] = filled.pop("params")
        if name in extra:
            extra[name] = filled
        # Two leaves of a state must not be one buffer: the step is given both to overwrite.
        ema[name] = jax.tree.map(jnp.copy, params[name])
    return state._replace(params=params, extra=extra, ema=None if state.ema is None else ema)


def _path(keys: Any) -> str:
    return jax.tree_util.keystr(keys, simple=True, separator="/")


def _by_path(tree: PyTree) -> dict[str, Any]:
    return {_path(keys): leaf for keys, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def _filled(
    fresh: dict[str, PyTree], found: Mapping[str, PyTree], keep: Callable[[str], bool], what: str
) -> dict[str, PyTree]:
    """``fresh`` with the leaves of ``found``, in the types and on the devices of its own leaves."""
    old, new = _by_path(fresh), _by_path(found)
    wanted = {path for path in old if not keep(path)}
    missing = {path: old[path].shape for path in sorted(wanted - new.keys())}
    unknown = {p: np.shape(new[p]) for p in sorted(new.keys() - old.keys()) if not keep(p)}
    wrong = sorted(path for path in wanted & new.keys() if np.shape(new[path]) != old[path].shape)
    faults = [mismatch(unknown, missing)] if missing or unknown else []
    for path in wrong[:3]:
        faults.append(f"{path} has shape {np.shape(new[path])}, expected {old[path].shape}")
    if len(wrong) > 3:
        faults.append(f"{len(wrong)} of other shapes in all")
    if faults:
        raise UserError(f"{what}: {'; '.join(faults)}; keep= (--fresh) says what is to stay fresh")

    def placed(keys: Any, leaf: jax.Array) -> jax.Array:
        path = _path(keys)
        if path not in wanted:
            return leaf
        # A copy: a mapped file is not to be given to a step that writes to its state.
        return jax.device_put(np.array(new[path], leaf.dtype), leaf.sharding)

    return jax.tree_util.tree_map_with_path(placed, fresh)


@dataclass(frozen=True)
class AtVectors:
    """A phase's start as ``go_on``, in which tables of words, trained or not, have the vectors that another corpus
    has given. Kim 2014, arXiv:1408.5882, section 3.2.

    Attributes:
        table: float32 [words, features].
        found: bool [words]; a word without a vector keeps what it had.

    Raises:
        UserError: (the start) no array "embedding" has the table's shape.
    """

    table: np.ndarray
    found: np.ndarray

    def __call__(self, before: State | None, fresh: State) -> State:
        placed = 0

        def at(path: tuple, leaf: Any) -> Any:
            nonlocal placed
            if getattr(path[-1], "key", "") != "embedding" or leaf.shape[-2:] != self.table.shape:
                return leaf
            placed += 1
            many = (None,) * (leaf.ndim - 2)  # of several models in one program
            return jnp.where(self.found[(*many, slice(None), None)], self.table[many], leaf)

        begun = go_on(before, fresh)
        params, extra, ema = (
            jax.tree_util.tree_map_with_path(at, tree)
            for tree in (begun.params, begun.extra, begun.ema)
        )
        if not placed:
            raise UserError(
                f"no table of {self.table.shape[0]} words of {self.table.shape[1]} features: expected an "
                "array named embedding of that shape"
            )
        return begun._replace(params=params, extra=extra, ema=ema)
