"""The capacity of an associative memory: theory's own numbers, and a net that is measured."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax.analysis.capacity import Cliff, retrieval, unstable
from dljax.learner import Learner, State
from dljax.types import Mean


def test_memory_breaks_down_at_the_published_load():
    """0.138 patterns a unit, at an overlap of 0.967 (Amit, Gutfreund & Sompolinsky 1985)."""
    load, overlap = retrieval(np.linspace(0.5, 4, 7001))
    at = load.argmax()
    assert load[at] == pytest.approx(0.138, abs=5e-4) and overlap[at] == pytest.approx(
        0.967, abs=1e-3
    )
    # Nearly all bits are right where few patterns are stored: erf(4) = 1 - 1.5e-8.
    assert overlap[-1] == pytest.approx(1, abs=1e-7) and load[-1] == pytest.approx(1 / 32, rel=1e-4)


def test_part_of_the_bits_that_turn_at_once():
    """Half the tail of a normal whose deviation is sqrt(load): 0.0049 at 0.15, 1/2 erfc(1) at 1/2."""
    assert unstable(0.15) == pytest.approx(0.0049, abs=5e-5)
    assert unstable(0.5) == pytest.approx(math.erfc(1) / 2, rel=1e-12)


def test_measures_what_is_stored_until_then():
    """A learner that counts its patterns, of 2 to a step: 2, 4 and 6 of 4 units each."""

    def evaluate(state, batch):
        one = Mean(state.params * batch["mask"].sum(), batch["mask"].sum())
        return {"overlap": one, "unstable": one}

    learner = Learner(
        lambda key, batch: State(jnp.int32(0), key, jnp.float32(0), {}, {}, None),
        lambda state, batch: (state._replace(params=state.params + len(batch["image"])), {}),
        evaluate,
    )
    look = Cliff(learner, np.ones((6, 4), np.float32), 3)
    assert look.measured(jax.random.key(0))["overlap"] == [(0.5, [2.0]), (1.0, [4.0]), (1.5, [6.0])]
    assert look(None, jax.random.key(0)).ndim == 3
