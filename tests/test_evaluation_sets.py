"""An evaluation sees every example once, whatever the size of its batches."""

import numpy as np
import pytest
from test_pipeline import Indices, N, note, numbered

from dljax.data import Arrays, EvalSet
from dljax.errors import UserError


def test_evaluation_masks_the_padding():
    batches = list(EvalSet(numbered()).batches(4))
    assert [b["label"].tolist() for b in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 9, 9]]
    assert [b["mask"].tolist() for b in batches] == [[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 0, 0]]
    assert all(b["mask"].dtype == np.float32 for b in batches)


@pytest.mark.parametrize("size", [1, 4, N])
def test_the_seeds_of_an_evaluation_are_positions(size):
    """So that no example's draws depend on the size of the batches, rows of padding aside."""
    seen = []
    for _ in EvalSet(numbered(), note(seen)).batches(size):
        pass
    assert seen[:N] == list(range(N))


def test_evaluation_batches_are_at_most_the_whole_set():
    (batch,) = EvalSet(numbered()).batches(1000)
    assert batch["label"].tolist() == list(range(N)) and batch["mask"].tolist() == [1] * N
    with pytest.raises(UserError, match="batches of 0"):
        list(EvalSet(numbered()).batches(0))


def test_a_sources_own_mask_is_zero_in_padding():
    own = np.float32([[1, 0], [1, 1], [0, 1]])
    last = list(EvalSet(Arrays({"mask": own})).batches(2))[-1]
    assert last["mask"].tolist() == [[0, 1], [0, 0]]


def test_evaluation_fills_the_last_pack_with_nothing():
    batches = list(EvalSet(Indices(7, per=2)).batches(3))
    assert [b["index"].tolist() for b in batches] == [
        [[0, 1], [2, 3], [4, 5]],
        [[6, -1], [-1, -1], [-1, -1]],
    ]
    assert [b["mask"].tolist() for b in batches] == [[1, 1, 1], [1, 0, 0]]
