"""FSRCNN: its deconvolution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax import models
from dljax.models.super_resolution import fsrcnn


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_pixel_is_spread_about_its_place(scale, key):
    """A lone feature of 1 in the small image gives the kernel, its center at ``scale`` times the place."""
    model = models.build(fsrcnn, "tiny", scale=scale, features=1, mappings=0, shrunk=1)
    image = jnp.zeros((1, 7, 7, 1)).at[0, 3, 2, 0].set(1.0)
    params = jax.jit(lambda: model.init(key, image, train=False))()["params"]
    for name in ("extract", "shrink", "expand"):
        kernel = jnp.zeros_like(params[name]["kernel"])
        p, q = kernel.shape[:2]
        params[name] = {**params[name], "kernel": kernel.at[p // 2, q // 2].set(1.0)}
    numbers = np.arange(1.0, 82.0).reshape(9, 9)
    turned = jnp.asarray(numbers[::-1, ::-1, None, None], jnp.float32)
    params["deconvolve"] = {"kernel": turned, "bias": jnp.zeros(1)}
    out = np.asarray(model.apply({"params": params}, image, train=False))[0, ..., 0]
    assert out.shape == (7 * scale, 7 * scale)
    padded = np.pad(out, 4)
    top, left = 3 * scale, 2 * scale
    np.testing.assert_array_equal(padded[top : top + 9, left : left + 9], numbers)
    assert out.sum() == padded[top : top + 9, left : left + 9].sum()
