"""SRResNet: its ends."""

import jax
import jax.numpy as jnp
import numpy as np

from dljax import models
from dljax.models.super_resolution import srresnet


def test_blocks_that_say_nothing_leave_the_start(key):
    """With the convolution behind the blocks at 0, the network is its ends around a skip; and its pixels are in
    0..1: gray where the last convolution is 0, black and white where it is far below and above.
    """
    model = models.build(srresnet, "tiny", normalized=False)
    image = jax.random.uniform(key, (1, 4, 4, 3))
    variables = jax.jit(lambda: model.init(key, image, train=False))()
    params = jax.tree.map(jnp.zeros_like, variables["params"])
    for bias, expected in ((0.0, 0.5), (-20.0, 0.0), (20.0, 1.0)):
        params["output"]["bias"] = jnp.full(3, bias)
        out = model.apply({**variables, "params": params}, image, train=False)
        np.testing.assert_allclose(out, np.full((1, 8, 8, 3), expected), atol=1e-6)
