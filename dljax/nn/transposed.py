"""Transposed convolution, with a gradient that is fast on CPU."""

from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from jax import lax
from jaxtyping import Array, Float

from dljax.nn import forms
from dljax.nn.strided import strided_transposed

Padding = Literal["SAME", "VALID"] | forms.Padding


def conv_transpose(
    x: Float[Array, "b h w c"],
    kernel: Float[Array, "p q c d"],
    stride: int,
    padding: Padding,
) -> Float[Array, "b i j d"]:
    """``lax.conv_transpose`` for one stride in both directions.

    XLA's CPU backend has no fast path for the gradient of a dilated convolution (6 to 44 times
    behind others). Two geometries cover the architectures here:

    - every output pixel comes from one input pixel (kernel = stride, or a 1x1 input): one matrix
      product and a reshape;
    - kernel 4, stride 2, "SAME": the transpose of ``dljax.nn.strided``; of maps up to 4 x 4, and of few
      pixels in all, the four phases of the output (even and odd rows and columns), which are 2x2
      convolutions of the input, interleaved. Kernel 3 is kernel 4 with a row and a column of zeros, the last ones
      for "SAME" (Keras'), the first ones for padding (1, 2) (PyTorch's).

    Any other geometry, and accelerators, take ``lax.conv_transpose``.
    """
    form = forms.of_transposed(x.shape, kernel.shape, stride, padding)
    if form in ("phases", "strided 4") and kernel.shape[0] == 3:
        zeros = (0, 1) if padding == "SAME" else (1, 0)
        kernel = jnp.pad(kernel, (zeros, zeros, (0, 0), (0, 0)))
    match form:
        case "one to many":
            return one_to_many(x, kernel)
        case "strided 4":
            return strided_transposed(x, kernel, 4)
        case "phases":
            return phases(x, kernel)
    return lax.conv_transpose(x, kernel, (stride, stride), padding)


def one_to_many(x: Array, kernel: Array) -> Array:
    """out[p i + u, q j + v] = x[i, j] kernel[p - 1 - u, q - 1 - v]."""
    (b, h, w, _), (p, q, _, d) = x.shape, kernel.shape
    # Turned round and interleaved after the product: a large kernel would be copied for it.
    out = jnp.einsum("bhwc,pqcd->pqbhwd", x, kernel)[::-1, ::-1]
    return out.transpose(2, 3, 0, 4, 1, 5).reshape(b, h * p, w * q, d)


def phases(x: Array, kernel: Array) -> Array:
    """Along each axis, out[2i] = x[i-1] k[0] + x[i] k[2] and out[2i+1] = x[i] k[1] + x[i+1] k[3].

    Not one convolution with four times the channels: its gradient is ten times slower.
    """
    (b, h, w, _), d = x.shape, kernel.shape[-1]

    def phase(u: int, v: int) -> Array:
        return forms.xla(x, kernel[u::2, v::2], ((1 - u, u), (1 - v, v)))

    rows = [jnp.stack([phase(u, 0), phase(u, 1)], axis=3) for u in (0, 1)]
    return jnp.stack(rows, axis=2).reshape(b, 2 * h, 2 * w, d)


class ConvTranspose(nn.Module):
    """``nn.ConvTranspose``: the same parameters ("kernel", "bias") and values, see ``conv_transpose``.

    In torch's terms, with its kernel flipped along both axes: ``kernel 4, stride 2, "SAME"`` is
    ConvTranspose2d(4, stride 2, padding 1), and "VALID" is padding 0; ``kernel 3, stride 2, ((1, 2), (1, 2))`` is
    ConvTranspose2d(3, stride 2, padding 1, output_padding 1).
    """

    features: int
    kernel_size: tuple[int, int]
    stride: int = 1
    padding: Padding = "SAME"
    use_bias: bool = True
    kernel_init: Callable[..., Any] = nn.initializers.lecun_normal()
    bias_init: Callable[..., Any] = nn.initializers.zeros_init()

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b i j d"]:
        shape = (*self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape)
        bias = self.param("bias", self.bias_init, (self.features,)) if self.use_bias else None
        x, kernel, bias = promote_dtype(x, kernel, bias)
        out = conv_transpose(x, kernel, self.stride, self.padding)
        return out if bias is None else out + bias[None, None, None, :]
