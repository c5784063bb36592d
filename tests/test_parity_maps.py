"""Every map of names in ``dljax.weights`` is total: what is here has its array there, and the other way.

Over the rows of test_parity, of which every map must have one.
"""

from pathlib import Path

import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from parity_rows import NO_MAPS, Row
from refusal import refused
from test_parity import ROWS, empty, table

import dljax.weights
from dljax.weights import from_variables, to_variables

# Its fade is a variable here and a number in the authors' program: test_progressive_gan goes there and back.
APART = {"progressive_gan"}


def test_every_map_has_a_row():
    files = {path.stem for path in Path(dljax.weights.__file__).parent.glob("*.py")} - NO_MAPS
    assert files - APART == {row.names.__name__.rpartition(".")[2] for row in ROWS.values()}


@pytest.fixture
def both(row: Row):
    """(entries, variables of zeros, the reference's arrays)."""
    model, zeros = empty(row)
    entries = getattr(row.names, row.map)(model)
    return entries, zeros, from_variables(entries, zeros)


@table
def test_maps_are_total(row, both):
    """Each variable has one entry, each array there is of one entry, and what is ignored is named."""
    entries, zeros, state = both
    paths = [entry.path for entry in entries if entry.path]
    assert sorted(paths) == sorted(flatten_dict(dict(zeros), sep="/"))
    names = [name for entry in entries for name in entry.names]
    assert len(set(names)) == len(names)
    ignored = {entry.name for entry in entries if not entry.path}
    assert state.keys() == set(names) - ignored
    whole = {**state, **{name: np.zeros(1) for name in ignored}}
    found = flatten_dict(to_variables(entries, whole), sep="/")
    assert {path: x.shape for path, x in found.items()} == {
        path: x.shape for path, x in flatten_dict(dict(zeros), sep="/").items()
    }


@table
def test_no_array_is_lost_or_made_up(row, both):
    """Without one of its arrays, or with one more, a file is refused, and the array named."""
    entries, zeros, state = both
    for name in list(state)[::7]:  # each takes time in proportion to all
        rest = {other: array for other, array in state.items() if other != name}
        with refused(f"missing {name!r} {state[name].shape}"):
            to_variables(entries, rest, zeros)
    with refused("unknown 'zzzz' (3,)"):
        to_variables(entries, {**state, "zzzz": np.zeros(3)}, zeros)
    name, array = next(iter(state.items()))
    other = {("zz" + n if n == name else n): x for n, x in state.items()}
    with refused(f"found 'zz{name}' {array.shape}, expected {name!r} {array.shape}"):
        to_variables(entries, other, zeros)
