"""Convolution of 4 x 4 with stride 2, and its transposed twin: DCGAN's layers, and many encoders'.

Two by two pixels become one of four times the channels, and the kernel one of 2 x 2, with stride 1;
which F(4, 2) computes with 25 products for 64, and F(2, 2) with 9 for 16 (``dljax.nn.winograd``). Forward,
and with both gradients, in ms on two cores of an AMD EPYC (Zen 4; 32 images; XLA's own in brackets):

    64 to 128 channels from 32 x 32, F(4, 2)     10 (14)   25 (51)
    128 to 256 from 16 x 16, F(4, 2)              8 (14)   22 (44)
    256 to 512 from 8 x 8, F(2, 2)               10 (13)   27 (41)
    128 to 64 from 16 x 16, transposed, F(4, 2)   8 (22)   25 (683)
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dljax.nn.forms import Padding
from dljax.nn.winograd import winograd


def strided(
    x: Float[Array, "b h w c"], kernel: Float[Array, "4 4 c d"], padding: Padding, m: int
) -> Float[Array, "b i j d"]:
    """Cross-correlation of 4 x 4 with stride 2, by F(m, 2) along both axes."""
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
    return winograd(x, kernel, ((0, 0), (0, 0)), m)


def strided_transposed(
    x: Float[Array, "b h w c"], kernel: Float[Array, "4 4 c d"], m: int
) -> Float[Array, "b i j d"]:
    """``lax.conv_transpose`` of 4 x 4 with stride 2 and "SAME": what ``strided`` does to its input,
    transposed, with the kernel turned round.
    """
    b, h, w, _ = x.shape
    turned = kernel[::-1, ::-1].swapaxes(2, 3)
    large = jax.ShapeDtypeStruct((b, 2 * h, 2 * w, kernel.shape[3]), x.dtype)
    back = jax.linear_transpose(lambda z: strided(z, turned, ((1, 1), (1, 1)), m), large)
    return back(x)[0]
