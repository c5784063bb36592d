"""Xception. Chollet 2016, Xception: Deep Learning with Depthwise Separable Convolutions,
arXiv:1610.02357, Fig. 5.

The row "paper" is the author's network as Keras has it. timm's, whose weights were converted from it,
pads its poolings by one pixel on every side, where the author's pads maps of an even side at the bottom
and right alone; and has another epsilon and initializer.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.core import FrozenDict
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Conv, DepthwiseConv, Dropout, batch_norm, max_pool

# He et al. 2015, arXiv:1502.01852, fan-out form.
he_normal = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
Sides = tuple[tuple[int, int], tuple[int, int]]


class SeparableConv(nn.Module):
    """3x3 filter per channel, then a 1x1 convolution over channels, with nothing between (section 4.7)."""

    features: int
    kernel_init: nn.initializers.Initializer

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
        init = self.kernel_init
        x = DepthwiseConv(kernel_init=init, name="depthwise")(x)
        return Conv(self.features, (1, 1), use_bias=False, kernel_init=init, name="pointwise")(x)


class Block(nn.Module):
    """Separable convolutions, each after a ReLU and before a BatchNorm; perhaps pooling; plus a shortcut.

    Attributes:
        widths: channels of the separable convolutions.
        starts: activation before the first, ReLU or nothing.
        pool: padding of a 3x3 maximum of stride 2, with a 1x1 convolution as the shortcut; None for
            neither.
    """

    widths: tuple[int, ...]
    norm: Any
    kernel_init: nn.initializers.Initializer
    starts: Any = jax.nn.relu
    pool: str | Sides | None = None

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b p q d"]:
        y = self.starts(x)
        for i, width in enumerate(self.widths, 1):
            y = y if i == 1 else jax.nn.relu(y)
            y = SeparableConv(width, self.kernel_init, name=f"sepconv{i}")(y)
            y = self.norm(name=f"bn{i}")(y)
        if self.pool is None:
            return x + y
        y = max_pool(y, 3, 2, self.pool)
        init = self.kernel_init
        conv = Conv(self.widths[-1], (1, 1), (2, 2), use_bias=False, kernel_init=init, name="skip")
        return y + self.norm(name="skip_bn")(conv(x))


class Xception(nn.Module):
    """Entry flow, middle flow, exit flow, global average, Dropout, Dense.

    Attributes:
        stem: channels of the first two convolutions.
        stride: of the first.
        entry: of the blocks of the entry flow.
        middle: number of blocks of the middle flow.
        exit: channels of the last block, and of the two separable convolutions after it.
        dropout: before the output (section 4.4).
        norm: options of ``batch_norm``.
        pool: padding of the poolings.
    """

    stem: tuple[int, int] = (32, 64)
    stride: int = 2
    entry: tuple[int, ...] = (128, 256, 728)
    middle: int = 8
    exit: tuple[int, int, int] = (1024, 1536, 2048)
    classes: int = 1000
    dropout: float = 0.5
    norm: Mapping[str, Any] = FrozenDict(epsilon=1e-3, momentum=0.99)
    pool: str | Sides = "SAME"
    kernel_init: nn.initializers.Initializer = nn.initializers.xavier_uniform()

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b classes"]:
        init, norm = self.kernel_init, partial(batch_norm, train=train, **self.norm)
        conv = partial(Conv, kernel_size=(3, 3), padding="VALID", use_bias=False, kernel_init=init)
        separable = partial(SeparableConv, kernel_init=init)
        block = partial(Block, norm=norm, kernel_init=init)

        x = conv(self.stem[0], strides=(self.stride, self.stride), name="conv1")(image)
        x = jax.nn.relu(norm(name="bn1")(x))
        x = jax.nn.relu(norm(name="bn2")(conv(self.stem[1], name="conv2")(x)))
        for i, width in enumerate(self.entry):
            starts = jax.nn.relu if i > 0 else lambda x: x  # there is a ReLU before the first
            widths = (width, width)
            x = block(widths, starts=starts, pool=self.pool, name=f"entry{i}")(x)
        width = self.entry[-1]
        for i in range(self.middle):
            x = block((width, width, width), name=f"middle{i}")(x)
        last, first, second = self.exit
        x = block((width, last), pool=self.pool, name="exit")(x)
        x = jax.nn.relu(norm(name="bn3")(separable(first, name="sepconv3")(x)))
        x = jax.nn.relu(norm(name="bn4")(separable(second, name="sepconv4")(x)))
        x = jnp.mean(x, axis=(1, 2))
        x = Dropout(self.dropout, name="dropout")(x, train=train)
        return nn.Dense(self.classes, kernel_init=nn.initializers.xavier_uniform(), name="output")(
            x
        )


MODEL = Xception
VARIANTS: dict[str, dict] = {
    "tiny": {"stem": (2, 3), "entry": (3, 4), "middle": 1, "exit": (5, 6, 8), "classes": 10},
    # For images of 32 pixels: maps of 28, 14, 7, 4 and 2, fewer channels, two blocks in the middle.
    "small": {
        "stem": (16, 32),
        "stride": 1,
        "entry": (64, 128, 192),
        "middle": 2,
        "exit": (256, 384, 512),
        "dropout": 0.0,
        "norm": {"epsilon": 1e-3},  # a momentum of 0.9, for runs of a few hundred steps
        "classes": 10,
    },
    "paper": {},
    "timm": {
        "norm": {"epsilon": 1e-5},
        "pool": ((1, 1), (1, 1)),
        "kernel_init": he_normal,
    },
}
PUBLISHED = {"paper": 22_855_952, "timm": 22_855_952}  # Keras' and timm's, with BatchNorm's scale
STATE = {"paper": 54_528, "timm": 54_528}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two color images of 299x299 pixels, 32x32 for "small", 17x17 for "tiny"."""
    side = {"tiny": 17, "small": 32}.get(variant, 299)
    return {"image": ShapeDtypeStruct((2, side, side, 3), jnp.float32)}
