"""Name maps as data: which array of another library is which parameter here. numpy only."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from dljax.errors import UserError


class Entry(NamedTuple):
    """One parameter.

    Attributes:
        path: here, "h_0/attn/c_attn/kernel".
        name: there.
        axes: of the array there, in the order they have here; None where they are the same.
    """

    path: str
    name: str
    axes: tuple[int, ...] | None = None


def to_params(entries: Iterable[Entry], state: Mapping[str, Any]) -> dict[str, Any]:
    """The nested parameters here, from the flat arrays there.

    Raises:
        UserError: an array is missing.
    """
    params: dict[str, Any] = {}
    for entry in entries:
        if entry.name not in state:
            raise UserError(f"the weights have no {entry.name!r}: they are of another architecture")
        array = np.asarray(state[entry.name])
        *folders, leaf = entry.path.split("/")
        home = params
        for folder in folders:
            home = home.setdefault(folder, {})
        home[leaf] = array if entry.axes is None else array.transpose(entry.axes)
    return params


def to_state(entries: Iterable[Entry], params: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The flat arrays there, from the nested parameters here."""
    state = {}
    for entry in entries:
        value: Any = params
        for part in entry.path.split("/"):
            value = value[part]
        array = np.asarray(value)
        state[entry.name] = array if entry.axes is None else array.transpose(np.argsort(entry.axes))
    return state
