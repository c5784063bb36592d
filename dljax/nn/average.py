"""Averages of neighborhoods."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def neighborhood_mean(x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    """Mean of each pixel and its neighbors, 3 x 3 of them or, at the edges, those that there are.

    TensorFlow's average-pooling of stride 1 with "SAME" padding. ``nn.avg_pool`` has it as
    ``count_include_pad=False``, but in float32 whatever the type of ``x``.
    """
    h, w = ([3 - (i == 0) - (i == n - 1) for i in range(n)] for n in x.shape[1:3])
    share = jnp.asarray(9 / np.outer(h, w), x.dtype)
    return nn.avg_pool(x, (3, 3), padding="SAME") * share[None, :, :, None]
