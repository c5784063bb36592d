"""Depthwise convolution: a filter per channel. Sifre 2014, Rigid-Motion Scattering for Image
Classification, section 6.2; Chollet 2016, arXiv:1610.02357.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
from flax.linen.dtypes import promote_dtype
from jax import lax
from jaxtyping import Array, Float

from dljax.nn.forms import Padding


class DepthwiseConv(nn.Module):
    """``nn.Conv`` with one group and one output per input channel: same parameters, same values.

    Attributes:
        kernel_size: height and width.
        strides: along height and width.
        padding: "SAME", "VALID", a width for all four sides, or ((top, bottom), (left, right)).
        use_bias: add a bias per channel.
        kernel_init: of the kernel [p, q, 1, c], whose fan-in is p q.
    """

    kernel_size: tuple[int, int] = (3, 3)
    strides: tuple[int, int] = (1, 1)
    padding: str | int | Padding = "SAME"
    use_bias: bool = False
    kernel_init: Callable[..., Any] = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b i j c"]:
        channels, padding = x.shape[-1], self.padding
        kernel = self.param("kernel", self.kernel_init, (*self.kernel_size, 1, channels))
        bias = self.param("bias", nn.initializers.zeros, (channels,)) if self.use_bias else None
        x, kernel, bias = promote_dtype(x, kernel, bias, dtype=None)
        if isinstance(padding, int):
            padding = ((padding, padding), (padding, padding))
        out = lax.conv_general_dilated(
            x,
            kernel,
            self.strides,
            padding,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=channels,
        )
        return out if bias is None else out + bias[None, None, None]
