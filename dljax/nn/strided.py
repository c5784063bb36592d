"""Convolution of 4 x 4 with stride 2, and its transposed twin: DCGAN's layers, and many encoders'.

Two by two pixels become one of four times the channels, and the kernel one of 2 x 2, with stride 1;
which F(2, 2) computes with 9 products for 16 (``dljax.nn.winograd``).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dljax.nn.forms import Padding
from dljax.nn.winograd import winograd


def strided(
    x: Float[Array, "b h w c"], kernel: Float[Array, "4 4 c d"], padding: Padding
) -> Float[Array, "b i j d"]:
    """Cross-correlation of 4 x 4 with stride 2."""
    b, c, d = x.shape[0], x.shape[3], kernel.shape[3]
    # The last row and column of an odd number are in no window.
    sides = [
        (low, high - (size + low + high) % 2)
        for size, (low, high) in zip(x.shape[1:3], padding, strict=True)
    ]
    x = jax.lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *((*s, 0) for s in sides), (0, 0, 0)))
    h, w = x.shape[1] // 2, x.shape[2] // 2
    x = x.reshape(b, h, 2, w, 2, c).transpose(0, 1, 3, 2, 4, 5).reshape(b, h, w, 4 * c)
    kernel = kernel.reshape(2, 2, 2, 2, c, d).transpose(0, 2, 1, 3, 4, 5).reshape(2, 2, 4 * c, d)
    return winograd(x, kernel, ((0, 0), (0, 0)), m=2)


def strided_transposed(
    x: Float[Array, "b h w c"], kernel: Float[Array, "4 4 c d"]
) -> Float[Array, "b i j d"]:
    """``lax.conv_transpose`` of 4 x 4 with stride 2 and "SAME": what ``strided`` does to its input,
    transposed, with the kernel turned round.
    """
    b, h, w, _ = x.shape
    turned = kernel[::-1, ::-1].swapaxes(2, 3)
    large = jax.ShapeDtypeStruct((b, 2 * h, 2 * w, kernel.shape[3]), x.dtype)
    back = jax.linear_transpose(lambda z: strided(z, turned, ((1, 1), (1, 1))), large)
    return back(x)[0]
