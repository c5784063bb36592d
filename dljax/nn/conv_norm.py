"""Convolution, BatchNorm and ReLU in a row: the unit that the Inception networks are made of."""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
from flax.core import FrozenDict
from jaxtyping import Array, Float

from dljax.nn.conv import Conv
from dljax.nn.forms import Padding
from dljax.nn.norm import batch_norm


class ConvNorm(nn.Module):
    """Convolution without bias, BatchNorm, ReLU.

    Attributes:
        features, kernel_size, strides, padding, kernel_init: of ``Conv``.
        train: normalize by the batch (``batch_norm``).
        norm: options of ``batch_norm``.
    """

    features: int
    kernel_size: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    padding: str | int | Padding = "SAME"
    train: bool = False
    kernel_init: Callable[..., Any] = nn.initializers.lecun_normal()
    norm: Mapping[str, Any] = FrozenDict()

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b i j d"]:
        conv = Conv(
            self.features,
            self.kernel_size,
            self.strides,
            self.padding,
            use_bias=False,
            kernel_init=self.kernel_init,
            name="conv",
        )
        return jax.nn.relu(batch_norm(train=self.train, name="bn", **self.norm)(conv(x)))


def widened(width: float, **defaults: Any) -> Callable[..., ConvNorm]:
    """A maker of ``ConvNorm`` modules that have ``width`` times the features asked for.

    Args:
        width: factor; the product is rounded, and 1 at least.
        defaults: of ``ConvNorm``, where the maker is not given others.
    """

    def conv(features: int, *args: Any, **options: Any) -> ConvNorm:
        return ConvNorm(max(1, round(features * width)), *args, **{**defaults, **options})

    return conv
