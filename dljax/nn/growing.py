"""Images that grow: twice the sides, half the sides, and a way from one to the other. Karras et al. 2018,
Progressive Growing of GANs, arXiv:1710.10196, Fig. 2.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def doubled(x: Float[Array, "b h w c"]) -> Float[Array, "b i j c"]:
    """Every pixel four times: twice the sides, by the nearest neighbor."""
    return x.repeat(2, axis=1).repeat(2, axis=2)


def halved(x: Float[Array, "b h w c"]) -> Float[Array, "b i j c"]:
    """Means of 2 x 2 pixels; the sides are even."""
    b, h, w, c = x.shape
    return jnp.mean(x.reshape(b, h // 2, 2, w // 2, 2, c), (2, 4))


def faded(old: Array, new: Array, part: jax.Array | float) -> Array:
    """(1 - part) old + part new: exactly ``old`` at 0 and ``new`` at 1."""
    part = jnp.asarray(part, new.dtype)
    return (1 - part) * old + part * new
