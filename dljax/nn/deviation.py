"""Minibatch standard deviation. Karras et al. 2018, Progressive Growing of GANs, arXiv:1710.10196, section 3."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from dljax import axes


def minibatch_deviation(x: Float[Array, "b h w c"], group: int = 4) -> Float[Array, "b h w e"]:
    """``x`` and one more channel: how much the examples of a group differ, by which a discriminator sees
    that a generator makes one thing alone.

    It is the deviation over the group (of the population, with 1e-8 under the root, as in the authors'
    code), averaged over places and channels. With m groups in the whole batch, on however many devices it
    lies, those are its rows i, i + m, i + 2 m, ...

    Args:
        group: examples in a group; fewer, where the batch does not divide by it.
    """
    whole = axes.gathered(x).astype(jnp.float32)
    n = len(whole)
    size = next(size for size in range(min(group, n), 0, -1) if n % size == 0)
    apart = whole.reshape(size, n // size, *whole.shape[1:])
    apart = apart - jnp.mean(apart, 0, keepdims=True)
    deviation = jnp.mean(jnp.sqrt(jnp.mean(apart**2, 0) + 1e-8), (1, 2, 3))
    own = axes.own(jnp.tile(deviation, size), len(x)).astype(x.dtype)
    channel = jnp.broadcast_to(own[:, None, None, None], (*x.shape[:-1], 1))
    return jnp.concatenate([x, channel], -1)
