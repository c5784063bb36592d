"""Convolution in two dimensions, in forms that are fast on CPU."""

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
    x: Float[Array, "b h w c"],
    kernel: Float[Array, "p q c d"],
    padding: Padding,
    strides: tuple[int, int] = (1, 1),
) -> Float[Array, "b i j d"]:
    """Cross-correlation; with stride 1 on CPU in the form that was measured to be fastest.

    - One input channel (a gray image), or a kernel of 1x1: patches times kernel, one matrix product
      either way.
    - Many channels on large maps: XLA's own forward pass, and both gradients as matrix products with
      the same patches of the output's gradient, in blocks that stay in cache.
    """
    if jax.default_backend() == "cpu" and strides == (1, 1):
        if kernel.shape[2] == 1 or kernel.shape[:2] == (1, 1):
            return _as_matmul(x, kernel, padding)
        if _blocks_pay(x.shape, kernel.shape):
            return _with_blocked_gradient(x, kernel, padding)
    return _lax(x, kernel, padding, strides)


_POSITIONS = 1024  # of a block: 64 channels' 3x3 patches of so many fill 2 MB, a core's L2 cache


def _blocks(b: int, h: int, w: int) -> tuple[int, int]:
    """(images in a block, rows of each): divisors of ``b`` and ``h``."""

    def largest_divisor(n: int, size: int) -> int:
        return max([k for k in range(1, n + 1) if n % k == 0 and k * size <= _POSITIONS], default=1)

    return (largest_divisor(b, h * w), h) if h * w <= _POSITIONS else (1, largest_divisor(h, w))


def _blocks_pay(x: Sequence[int], kernel: Sequence[int]) -> bool:
    """True where blocks were measured faster: kernels above 1x1, maps from 11x11, channels from 16.

    False with several devices, which would have to gather their shares of the batch.
    """
    b, h, w, _ = x
    images, rows = _blocks(b, h, w)
    enough = images * rows * w >= min(b * h * w, _POSITIONS // 8)
    large = min(kernel[:2]) > 1 and h * w >= 121 and min(kernel[2:]) >= 16
    return enough and large and jax.device_count() == 1


def _lax(x: Array, kernel: Array, padding: Padding, strides: tuple[int, int] = (1, 1)) -> Array:
    layout = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=layout)


def _patches(x: Array, p: int, q: int) -> Array:
    """[..., h, w, c] -> [..., h - p + 1, w - q + 1, p q c], in a kernel's order."""
    h, w = x.shape[-3] - p + 1, x.shape[-2] - q + 1
    slices = [x[..., i : i + h, j : j + w, :] for i in range(p) for j in range(q)]
    return jnp.concatenate(slices, -1)


def _as_matmul(x: Array, kernel: Array, padding: Padding) -> Array:
    p, q, c, d = kernel.shape
    columns = _patches(_padded(x, padding), p, q)
    out = columns.reshape(-1, p * q * c) @ kernel.reshape(p * q * c, d)
    return out.reshape(*columns.shape[:-1], d)


def _padded(x: Array, padding: Padding) -> Array:
    return jnp.pad(x, ((0, 0), *padding, (0, 0)))


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _with_blocked_gradient(x: Array, kernel: Array, padding: Padding) -> Array:
    return _lax(x, kernel, padding)


def _forward(x: Array, kernel: Array, padding: Padding):
    return _lax(x, kernel, padding), (x, kernel)


def _backward(padding: Padding, saved: tuple[Array, Array], g: Array) -> tuple[Array, Array]:
    """With G[r, i] = g[r + top - i], the patches of g (one axis shown):

    dx[r] = sum over i:  G[r, i] kernel[i]^T        dkernel[i] = sum over r:  x[r]^T G[r, i]
    """
    x, kernel = saved
    (b, h, w, c), (p, q, _, d) = x.shape, kernel.shape
    images, rows = _blocks(b, h, w)
    per_image = h // rows
    sides = [
        (size - 1 - low, size - 1 - high, 0)
        for size, (low, high) in zip((p, q), padding, strict=True)
    ]
    g = lax.pad(g, jnp.zeros((), g.dtype), ((0, 0, 0), *sides, (0, 0, 0)))
    flipped = kernel[::-1, ::-1].transpose(0, 1, 3, 2).reshape(p * q * d, c)

    def one(total: Array, block: tuple[Array, Array]):
        n, x = block
        image, part = n // per_image * images, n % per_image
        size = (images, rows + p - 1, w + q - 1, d)
        around = lax.dynamic_slice(g, (image, part * rows, 0, 0), size)
        patches = _patches(around, p, q).reshape(-1, p * q * d)
        to_total = jnp.matmul(x.reshape(-1, c).T, patches, preferred_element_type=wide)
        return total + to_total, patches @ flipped

    n = b // images * per_image
    wide = jnp.promote_types(kernel.dtype, jnp.float32)  # the sum is long
    zeros = jnp.zeros((c, p * q * d), wide)
    blocks = (jnp.arange(n), x.reshape(n, images * rows, w, c))
    total, to_x = lax.scan(one, zeros, blocks)
    to_kernel = total.reshape(c, p, q, d)[:, ::-1, ::-1].transpose(1, 2, 0, 3)
    return to_x.reshape(x.shape), to_kernel.astype(kernel.dtype)


_with_blocked_gradient.defvjp(_forward, _backward)


class Conv(nn.Module):
    """``nn.Conv`` in two dimensions: same parameters, same values.

    Attributes:
        features: output channels.
        kernel_size: height and width.
        strides: along height and width; XLA's own convolution where they are not 1.
        padding: "SAME", "VALID", a width for all four sides, or ((top, bottom), (left, right)).
        use_bias: add a bias per output channel.
        kernel_init: of the kernel [p, q, c, features].
    """

    features: int
    kernel_size: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    padding: str | int | Padding = "SAME"
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
        out = conv(x, kernel, self._sides(x.shape[1:3]), self.strides)
        return out if bias is None else out + bias[None, None, None]

    def _sides(self, size: tuple[int, ...]) -> Padding:
        """Padding of an image of ``size`` [h, w], as ((top, bottom), (left, right))."""
        if isinstance(self.padding, int):
            return ((self.padding, self.padding), (self.padding, self.padding))
        if isinstance(self.padding, str):
            top, left = lax.padtype_to_pads(size, self.kernel_size, self.strides, self.padding)
            return ((top[0], top[1]), (left[0], left[1]))
        return self.padding
