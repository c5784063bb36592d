"""TCN: how far back it sees, and weight normalization."""

import jax
import jax.numpy as jnp
import numpy as np
from architectures import tiny

from dljax import models
from dljax.models.hybrids import tcn


def test_it_sees_as_far_back_as_it_says(key):
    """Kernels of 3 in blocks of dilation 1, 2, 4: 1 + 2 x 2 x 7 = 29 times."""
    model = models.build(tcn, "tiny", widths=(4, 4, 4), kernel=3)
    assert model.sees == 29
    series = jax.random.normal(key, (1, 40, 1))
    params = model.init(key, series, train=False)["params"]
    slope = jax.grad(lambda x: model.apply({"params": params}, x, train=False).sum())(series)
    moves = np.abs(np.asarray(slope))[0, :, 0]
    assert (moves[:11] == 0).all() and moves[11] > 0


def test_a_dilated_convolution_is_its_equation():
    conv = tcn.CausalConv(1, 2, 3)
    params = {
        "kernel": jnp.array([3.0, 4.0]).reshape(2, 1, 1),
        "scale": jnp.array([10.0]),
        "bias": jnp.array([1.0]),
    }
    x = jnp.arange(1.0, 7.0)[None, :, None]
    # Of length 5 and scale 10: 6 x_t-3 + 8 x_t + 1.
    out = conv.apply({"params": params}, x)[0, :, 0]
    np.testing.assert_allclose(out, [9, 17, 25, 33 + 6, 41 + 12, 49 + 18], rtol=1e-6)


def test_the_length_of_a_kernel_does_not_matter():
    model, params, _, inputs = tiny(tcn, 0.3)
    longer = jax.tree_util.tree_map_with_path(
        lambda path, x: 7 * x if path[-1].key == "kernel" and "conv" in path[0].key else x, params
    )
    out = model.apply({"params": params}, **inputs, train=False)
    np.testing.assert_allclose(
        model.apply({"params": longer}, **inputs, train=False), out, rtol=1e-5, atol=1e-6
    )


def test_it_begins_at_the_kernels_own_lengths(key):
    params = models.build(tcn, "tiny").init(key, jnp.zeros((1, 8, 1)), train=False)["params"]
    conv = params["block0_conv2"]
    np.testing.assert_allclose(
        conv["scale"], jnp.linalg.norm(conv["kernel"], axis=(0, 1)), rtol=1e-6
    )
