"""Autoencoders: the tied matrix, and exactly k active units."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax import models
from dljax.models.autoencoders import autoencoder
from dljax.models.autoencoders.autoencoder import k_largest, linear


def test_k_largest_keeps_exactly_k_of_linear_activations():
    """Also negative ones, and of equal ones the first."""
    x = jnp.array([[3.0, -1.0, 2.0, 5.0], [-4.0, -2.0, -1.0, -3.0], [1.0, 1.0, 1.0, 1.0]])
    expected = [[3.0, 0.0, 0.0, 5.0], [0.0, -2.0, -1.0, 0.0], [1.0, 1.0, 0.0, 0.0]]
    np.testing.assert_array_equal(k_largest(x, 2), expected)
    slope = jax.grad(lambda x: jnp.sum(k_largest(x, 2) * jnp.arange(1.0, 5.0)[None]))(x)
    kept = [[1.0, 0.0, 0.0, 4.0], [0.0, 2.0, 3.0, 0.0], [1.0, 2.0, 0.0, 0.0]]
    np.testing.assert_array_equal(slope, kept)


@pytest.mark.parametrize("tied", [False, True])
def test_a_network_by_hand(tied):
    """Inputs (1, 2), one ReLU unit before a linear code of one; tied, the kernels serve backwards."""
    model = models.build(
        autoencoder, "tiny", shape=(2,), widths=(1,), latents=1, code=linear, tied=tied
    )
    down, inner = jnp.array([[1.0], [-3.0]]), jnp.array([[2.0]])
    params = {
        "encoder_0": {"kernel": down, "bias": jnp.array([6.0])},  # 1 - 6 + 6 = 1
        "encoder_1": {"kernel": inner, "bias": jnp.array([-1.0])},  # 2 - 1 = 1
        "decoder_0": {"bias": jnp.array([1.0])},  # 2 + 1 = 3, or 5 + 1 = 6 where it is not tied
        "decoder_1": {"bias": jnp.array([0.5, 0.25])},
    }
    if not tied:
        params["decoder_0"]["kernel"] = jnp.array([[5.0]])
        params["decoder_1"]["kernel"] = jnp.array([[1.0, 0.0]])
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.ones((1, 2)), train=False))
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, shapes["params"])
    out, code = model.apply({"params": params}, jnp.array([[1.0, 2.0]]), train=False)
    np.testing.assert_array_equal(code, [[1.0]])
    np.testing.assert_array_equal(out, [[3.5, -8.75]] if tied else [[6.5, 0.25]])
