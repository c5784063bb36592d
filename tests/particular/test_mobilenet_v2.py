"""MobileNetV2 as a trunk: what feature extraction and fine-tuning leave alone."""

from pathlib import Path

import jax
import numpy as np
from smoke import smoke

FILE = Path(__file__).parents[2] / "experiments" / "transfer" / "mobilenet_v2_digits.py"


def test_a_frozen_trunk_stays_bit_for_bit(key):
    """Its BatchNorms' statistics as its parameters; in fine-tuning the statistics alone."""
    _, head, tune = smoke(FILE).phases
    batch = head.data.batch(0)
    first = jax.jit(head.learner.init)(key, batch)

    def stepped(phase, state):
        update = jax.jit(phase.learner.update)
        opt = jax.eval_shape(phase.learner.init, key, batch).opt
        state = state._replace(opt=jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), opt))
        return update(update(state, batch)[0], batch)[0]

    second = stepped(head, first)
    third = stepped(tune, second)
    assert len(jax.tree.leaves(first.extra)) > 10
    for later in (second, third):
        jax.tree.map(np.testing.assert_array_equal, later.extra, first.extra)
    params = [dict(state.params["model"]) for state in (first, second, third)]
    heads = [each.pop("output")["kernel"] for each in params]
    assert (heads[0] != heads[1]).all() and (heads[1] != heads[2]).all()
    jax.tree.map(np.testing.assert_array_equal, params[1], params[0])
    for name, old in params[1].items():
        moved = jax.tree.map(lambda a, b: bool((a != b).any()), old, params[2][name])
        assert all(jax.tree.leaves(moved)), name
