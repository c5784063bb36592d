"""Convolution in two dimensions, in forms that are fast on CPU."""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from jax import lax
from jaxtyping import Array, Float

from dljax.nn import forms
from dljax.nn.few_channels import few_channels
from dljax.nn.forms import Padding
from dljax.nn.strided import strided
from dljax.nn.winograd import winograd


def conv(
    x: Float[Array, "b h w c"],
    kernel: Float[Array, "p q c d"],
    padding: Padding,
    strides: tuple[int, int] = (1, 1),
    bias: Float[Array, " d"] | None = None,
) -> Float[Array, "b i j d"]:
    """Cross-correlation, in the form that ``dljax.nn.forms`` chooses, plus a bias per output channel."""
    x, kernel, bias = promote_dtype(x, kernel, bias, dtype=None)
    if min(side for sides in padding for side in sides) < 0:
        x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *((*s, 0) for s in padding), (0, 0, 0)])
        padding = ((0, 0), (0, 0))
    form = forms.of_conv(x.shape, kernel.shape, strides)
    if forms.hides(x.shape[1:3], kernel.shape, padding):
        form = "xla"  # whose output has no rows then
    match form:
        case "few channels":
            return few_channels(x, kernel, padding, bias)
        case "matmul":
            out = as_matmul(x, kernel, padding, strides)
        case "winograd 4":
            out = _winograd(x, kernel, padding, 4)
        case "winograd 2":
            out = _winograd(x, kernel, padding, 2)
        case "strided 4":
            out = strided(x, kernel, padding, 4)
        case "strided 2":
            out = strided(x, kernel, padding, 2)
        case "xla":
            out = forms.xla(x, kernel, padding, strides)
    return out if bias is None else out + bias[None, None, None]


_KEPT = 2**24  # values, 64 MB


def _winograd(x: Array, kernel: Array, padding: Padding, m: int) -> Array:
    """``winograd``, of large images without keeping the transformed input for the way back.

    That is 2.25 times the input for m = 4, and 4 times for m = 2. To transform it again takes 10 % (U-Net) to
    33 % (DDPM) of a training step.
    """
    form = partial(winograd, padding=padding, m=m)
    transformed = x.size * (m + 2) ** 2 // m**2
    return (jax.checkpoint(form) if transformed > _KEPT else form)(x, kernel)


def as_matmul(
    x: Array, kernel: Array, padding: Padding, strides: tuple[int, int] = (1, 1)
) -> Array:
    """One product of all patches and the kernel: of 1 x 1; of few input channels, whose patches are
    small; of stride 2, for which XLA's gradients are slow; of few pixels.
    """
    p, q, c, d = kernel.shape
    x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    (down, right), (h, w) = strides, (x.shape[1] - p + 1, x.shape[2] - q + 1)
    # Along one side, then along the other: p + q copies of slices, where at once there are p q.
    x = jnp.concatenate([x[:, :, j : j + w : right] for j in range(q)], -1)
    columns = jnp.concatenate([x[:, i : i + h : down] for i in range(p)], -1)
    out = columns.reshape(-1, p * q * c) @ kernel.reshape(p * q * c, d)
    return out.reshape(*columns.shape[:-1], d)


class Conv(nn.Module):
    """``nn.Conv`` in two dimensions: same parameters, same values.

    Attributes:
        features: output channels.
        kernel_size: height and width.
        strides: along height and width.
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
        sides = forms.sides(self.padding, x.shape[1:3], self.kernel_size, self.strides)
        return conv(x, kernel, sides, self.strides, bias)
