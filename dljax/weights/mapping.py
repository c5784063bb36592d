"""Name maps as data: which array of another library is which variable here."""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from dljax.errors import UserError
from dljax.weights.files import write

_COMPARED = 50  # names of each side, by an error message
_ALIKE = 0.6  # of difflib's ratio, as in its get_close_matches


class Join(NamedTuple):
    """Several arrays there, or one of another shape, as one here.

    Attributes:
        merge: the arrays there, in the order of their names -> one array, before its ``axes``.
        split: that array -> the arrays there. ``merge`` of them is the array again; where ``merge``
            loses something (a sum), it is for ``split`` to say where all of it goes.
    """

    merge: Callable[..., np.ndarray]
    split: Callable[[np.ndarray], Sequence[np.ndarray]]


def reshaped(there: tuple[int, ...], here: tuple[int, ...]) -> Join:
    """The join of one array that has the same numbers in another shape."""
    return Join(lambda x: x.reshape(here), lambda x: (x.reshape(there),))


class Entry(NamedTuple):
    """One variable.

    Attributes:
        path: here, below its collection: "params/conv1/kernel", "batch_stats/bn1/mean". Empty
            for an array without a counterpart here, which may be absent.
        name: of the reference's array; of several where ``join`` makes one of them.
        axes: of the array there, in the order they have here; None where they are the same.
        join: applied before ``axes``.
    """

    path: str
    name: str | tuple[str, ...]
    axes: tuple[int, ...] | None = None
    join: Join | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,) if isinstance(self.name, str) else self.name


def renamed(entries: Iterable[Entry], old: str, new: str) -> list[Entry]:
    """The entries for a file whose names begin with ``new`` in place of ``old``.

    ``renamed(entries, "", "module.")`` has the names of a safetensors file of torch's DataParallel; from
    files of torch.save itself, ``read`` has taken that away.
    """

    def rename(name: str) -> str:
        return new + name.removeprefix(old) if name.startswith(old) else name

    return [
        e._replace(name=rename(e.name) if isinstance(e.name, str) else tuple(map(rename, e.name)))
        for e in entries
    ]


def some(names: Iterable[str]) -> str:
    """The first three names, and how many there are if that is not all of them."""
    names = list(names)
    more = f", ... ({len(names)} in all)" if len(names) > 3 else ""
    return ", ".join(f"{name!r:.100}" for name in names[:3]) + more


def mismatch(
    has: Mapping[str, tuple[int, ...]], wants: Mapping[str, tuple[int, ...] | None]
) -> str:
    """The part of an error message about names that only one side has: three, and how many in all.

    Args:
        has: the unknown names there -> their shapes.
        wants: the missing names -> their shapes, None where those are not known.

    Returns:
        Pairs of a name found and the expected one that it is probably meant for, the nearest
        first by ``difflib``'s ratio; then names that resemble none.
    """

    def shown(name: str, shape: tuple[int, ...] | None) -> str:
        return f"{name!r:.100}" if shape is None else f"{name!r:.100} {shape}"

    # Of a thousand names some tell it all, and each comparison takes 0.1 ms.
    likeness = {
        (want, have): difflib.SequenceMatcher(None, want, have).ratio()
        for want in list(wants)[:_COMPARED]
        for have in list(has)[:_COMPARED]
    }
    parts: list[str] = []
    paired: set[tuple[str, bool]] = set()  # (name, whether it is a wanted one)
    for want, have in sorted(likeness, key=lambda pair: -likeness[pair]):
        if likeness[want, have] >= _ALIKE and not {(want, True), (have, False)} & paired:
            paired |= {(want, True), (have, False)}
            parts.append(f"found {shown(have, has[have])}, expected {shown(want, wants[want])}")
    parts += [f"missing {shown(n, shape)}" for n, shape in wants.items() if (n, True) not in paired]
    parts += [f"unknown {shown(n, shape)}" for n, shape in has.items() if (n, False) not in paired]
    more = f"; in all {len(wants)} missing and {len(has)} unknown" if len(parts) > 3 else ""
    return "; ".join(parts[:3]) + more


def to_variables(
    entries: Iterable[Entry], state: Mapping[str, Any], like: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The collections here, from the flat arrays there.

    Args:
        like: the collections here before, from which an error message has the expected shapes.

    Returns:
        ``{"params": ..., "batch_stats": ...}``: nested, of arrays that may share memory with those
        in ``state``.

    Raises:
        UserError: an array is missing, is not in the map, or has another rank or shape than its entry.
    """
    entries = list(entries)
    known = {name for entry in entries for name in entry.names}
    missing = [n for e in entries if e.path for n in e.names if n not in state]
    unknown = [name for name in state if name not in known]
    if missing or unknown:
        shapes = _shapes_there(entries, like or {})
        what = mismatch(
            {name: np.shape(state[name]) for name in unknown},
            {name: shapes.get(name) for name in missing},
        )
        raise UserError(
            f"the weights are of another architecture: {what}; take the variant that they are of, or "
            "weights.renamed where names begin otherwise"
        )
    return unflatten_dict({e.path: _merged(e, state) for e in entries if e.path}, sep="/")


def _shapes_there(
    entries: Iterable[Entry], variables: Mapping[str, Any]
) -> dict[str, tuple[int, ...]]:
    """The arrays' shapes there, of those variables that are here."""
    leaves = flatten_dict(dict(variables), sep="/")
    return {
        name: part.shape
        for entry in entries
        if entry.path in leaves
        for name, part in _split(entry, np.broadcast_to(np.int8(0), leaves[entry.path].shape))
    }


def _split(entry: Entry, array: np.ndarray) -> Iterable[tuple[str, np.ndarray]]:
    """The arrays there, by name, of a variable."""
    if entry.axes is not None:
        array = array.transpose(np.argsort(entry.axes))
    parts = (array,) if entry.join is None else entry.join.split(array)
    return zip(entry.names, parts, strict=True)


def _merged(entry: Entry, state: Mapping[str, Any]) -> np.ndarray:
    arrays = [np.asarray(state[name]) for name in entry.names]
    shapes = [array.shape for array in arrays]
    array = arrays[0]
    if entry.join is not None:
        try:
            array = entry.join.merge(*arrays)
            # Else one of a length that broadcasts, or of the same size, would be taken.
            fits = [part.shape for part in entry.join.split(array)] == shapes
        except ValueError:
            fits = False
        if not fits:
            raise UserError(
                f"{some(entry.names)} of shape {', '.join(map(str, shapes))} cannot be made "
                f"{entry.path}: they are of another variant"
            )
    if entry.axes is None:
        return array
    if array.ndim != len(entry.axes):
        raise UserError(
            f"{some(entry.names)} has shape {array.shape}, expected {len(entry.axes)} axes for "
            f"{entry.path}"
        )
    return array.transpose(entry.axes)


def from_variables(entries: Iterable[Entry], variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The flat arrays there, from the collections here: the inverse of ``to_variables``.

    Raises:
        UserError: a variable is missing, or has no entry and would be lost.
    """
    entries = [entry for entry in entries if entry.path]
    leaves = flatten_dict(dict(variables), sep="/")
    lost = leaves.keys() - {entry.path for entry in entries}
    missing = [entry.path for entry in entries if entry.path not in leaves]
    if lost or missing:
        what = f"have no {some(missing)}" if missing else f"have {some(sorted(lost))} besides"
        raise UserError(f"the variables are not those of the entries: they {what}")
    state: dict[str, np.ndarray] = {}
    for entry in entries:
        state |= _split(entry, np.asarray(leaves[entry.path]))
    return state


def export(variables: Mapping[str, Any], entries: Iterable[Entry], file: str | Path) -> None:
    """Write ``{"params": ..., "batch_stats": ...}`` as a safetensors file with the names there."""
    write(file, from_variables(entries, variables))
