"""Pooling without overlap, with a gradient that is fast on CPU."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def max_pool(x: Float[Array, "b h w c"], window: int = 2) -> Float[Array, "b p q c"]:
    """Maximum over ``window`` x ``window`` tiles; rows and columns that do not fill one are dropped.

    On CPU, XLA runs max-pool's gradient (select_and_scatter) as a scalar loop; the maximum of the
    strided slices is the same function (where values tie, its gradient is shared between them
    instead of given to the first).
    """
    if jax.default_backend() != "cpu":
        return nn.max_pool(x, (window, window), strides=(window, window))
    return _max_of_slices(x, window)


def _max_of_slices(x: Float[Array, "b h w c"], window: int) -> Float[Array, "b p q c"]:
    h, w = (size // window * window for size in x.shape[1:3])
    tiles = [x[:, i:h:window, j:w:window] for i in range(window) for j in range(window)]
    out = tiles[0]
    for tile in tiles[1:]:
        out = jnp.maximum(out, tile)
    return out
