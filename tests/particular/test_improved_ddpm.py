"""Improved DDPM's network: its time embedding, and a class that need not be told."""

import jax
import jax.numpy as jnp
import numpy as np
from architectures import tiny

from dljax.models.diffusion import improved_ddpm
from dljax.nn.time import cosines_first


def test_time_embedding_by_hand():
    """Cosines first; frequencies 1 and 10000^(-1/2) = 0.01 of four features."""
    found = cosines_first(jnp.array([0, 100]), 4)
    by_hand = [[1, 1, 0, 0], [np.cos(100), np.cos(1), np.sin(100), np.sin(1)]]
    np.testing.assert_allclose(found, by_hand, atol=1e-5)  # float32's sine of 100


def test_no_class_is_a_network_without_classes():
    model, params, _, inputs = tiny(improved_ddpm)
    apply = jax.jit(
        lambda p, label: model.apply({"params": p}, **{**inputs, "label": label}, train=False)
    )
    untold = apply(params, jnp.array([-1, -1]))
    nameless = {**params, "label": jax.tree.map(jnp.zeros_like, params["label"])}
    np.testing.assert_array_equal(untold, apply(nameless, jnp.array([0, 2])))
    told = apply(params, jnp.array([2, -1]))
    assert (told[0] != untold[0]).any() and (told[1] == untold[1]).all()
