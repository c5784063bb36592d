"""Pixel shuffle: channels as pixels. Shi et al. 2016, arXiv:1609.05158, equation 4."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def pixel_shuffle(x: Float[Array, "b h w c"], r: int) -> Float[Array, "b i j d"]:
    """Channels c r^2 of a pixel as r x r pixels of c channels: out[r y + i, r x + j, c] = x[y, x, c r^2 + i r + j].

    The order is torch's; TensorFlow's ``depth_to_space`` takes channel (i r + j) c' + c, another where
    there are several.
    """
    b, h, w, d = x.shape
    tiles = jnp.reshape(x, (b, h, w, d // r**2, r, r))
    return tiles.transpose(0, 1, 4, 2, 5, 3).reshape(b, h * r, w * r, d // r**2)
