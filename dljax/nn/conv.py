"""Convolution with stride 1, in forms that are fast on CPU."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from jax import lax
from jaxtyping import Array, Float

Padding = tuple[tuple[int, int], tuple[int, int]]


def conv(
    x: Float[Array, "b h w c"], kernel: Float[Array, "p q c d"], padding: Padding
) -> Float[Array, "b i j d"]:
    """Cross-correlation with stride 1; on CPU with the form that was measured to be fastest.

    - One input channel (a grey image): patches times kernel, one matrix product either way.
    - Channels in 32s: XLA's own forward pass and input gradient, the weight gradient as a sum over
      images of patches^T times gradient, in which one image's patches stay in cache.
    """
    if jax.default_backend() == "cpu":
        if kernel.shape[2] == 1:
            return _as_matmul(x, kernel, padding)
        if _scan_pays(x.shape, kernel.shape):
            return _with_scanned_gradient(x, kernel, padding)
    return _lax(x, kernel, padding)


def _scan_pays(x: Sequence[int], kernel: Sequence[int]) -> bool:
    """Where the scan was measured faster: 3x3 and more, maps from 11x11, channels from 32."""
    return kernel[0] * kernel[1] > 1 and x[1] * x[2] >= 121 and min(kernel[2:]) >= 32


def _lax(x: Array, kernel: Array, padding: Padding) -> Array:
    layout = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=layout)


def _patches(x: Array, p: int, q: int) -> Array:
    """[..., h, w, c] -> [..., h - p + 1, w - q + 1, p q c], in a kernel's order."""
    h, w = x.shape[-3] - p + 1, x.shape[-2] - q + 1
    slices = [x[..., i : i + h, j : j + w, :] for i in range(p) for j in range(q)]
    return jnp.concatenate(slices, -1)


def _as_matmul(x: Array, kernel: Array, padding: Padding) -> Array:
    p, q, c, d = kernel.shape
    return _patches(_padded(x, padding), p, q) @ kernel.reshape(p * q * c, d)


def _padded(x: Array, padding: Padding) -> Array:
    return jnp.pad(x, ((0, 0), *padding, (0, 0)))


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _with_scanned_gradient(x: Array, kernel: Array, padding: Padding) -> Array:
    return _lax(x, kernel, padding)


def _forward(x: Array, kernel: Array, padding: Padding):
    return _lax(x, kernel, padding), (x, kernel)


def _backward(padding: Padding, saved: tuple[Array, Array], g: Array) -> tuple[Array, Array]:
    x, kernel = saved
    p, q, c, d = kernel.shape
    (to_x,) = jax.linear_transpose(lambda x: _lax(x, kernel, padding), x)(g)

    def one(total: Array, image: tuple[Array, Array]):
        x, g = image
        columns = _patches(x, p, q).reshape(-1, p * q * c)
        return total + columns.T @ g.reshape(-1, d), None

    zeros = jnp.zeros((p * q * c, d), kernel.dtype)
    total, _ = lax.scan(one, zeros, (_padded(x, padding), g))
    return to_x, total.reshape(kernel.shape)


_with_scanned_gradient.defvjp(_forward, _backward)


class Conv(nn.Module):
    """``nn.Conv`` in two dimensions with stride 1: same parameters, same values.

    Attributes:
        features: output channels.
        kernel_size: height and width.
        padding: "SAME", "VALID", or ((top, bottom), (left, right)).
        use_bias: add a bias per output channel.
        kernel_init: of the kernel [p, q, c, features].
    """

    features: int
    kernel_size: tuple[int, int]
    padding: str | Padding = "SAME"
    use_bias: bool = True
    kernel_init: Callable[..., Any] = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b i j d"]:
        p, q = self.kernel_size
        kernel = self.param("kernel", self.kernel_init, (p, q, x.shape[-1], self.features))
        bias = None
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,))
        x, kernel, bias = promote_dtype(x, kernel, bias, dtype=None)
        if self.padding == "SAME":
            padding = (((p - 1) // 2, p // 2), ((q - 1) // 2, q // 2))
        elif self.padding == "VALID":
            padding = ((0, 0), (0, 0))
        else:
            assert not isinstance(self.padding, str), self.padding
            padding = self.padding
        out = conv(x, kernel, padding)
        return out if bias is None else out + bias[None, None, None]
