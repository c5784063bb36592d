"""Inception v4. Szegedy et al. 2016, Inception-v4, Inception-ResNet and the Impact of Residual
Connections on Learning, arXiv:1602.07261, Figs. 3 to 9.

BatchNorm after each convolution, of epsilon 0.001, as in the authors' code.
"""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from flax.core import FrozenDict
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Dropout, max_pool, neighborhood_mean, widened

Layer = Callable[..., Any]
# The authors' code: He et al. 2015, arXiv:1502.01852, fan-in form, cut at two deviations.
he_normal = nn.initializers.variance_scaling(2.0, "fan_in", "truncated_normal")


def maximum(x: Array, stride: int = 2) -> Array:
    """Maximum over 3x3 windows."""
    return max_pool(x, 3, stride)


def chain(conv: Layer, name: str, x: Array, *layers: tuple[int, int, int]) -> Array:
    """Convolutions in a row, each (features, height, width); to be called in a module's scope."""
    for i, (features, *kernel) in enumerate(layers):
        x = conv(features, tuple(kernel), name=f"{name}_{i}")(x)
    return x


class Stem(nn.Module):
    """299x299x3 to 35x35x384 (Fig. 3)."""

    conv: Layer
    strides: tuple[int, int, int]

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"]) -> Float[Array, "b p q d"]:
        conv = self.conv
        first, second, third = self.strides
        x = conv(32, (3, 3), (first, first), "VALID", name="conv0")(image)
        x = conv(32, (3, 3), (1, 1), "VALID", name="conv1")(x)
        x = conv(64, (3, 3), name="conv2")(x)
        strided = conv(96, (3, 3), (second, second), "VALID", name="conv3")(x)
        x = jnp.concatenate([maximum(x, second), strided], -1)
        short = chain(conv, "branch0", x, (64, 1, 1))
        short = conv(96, (3, 3), (1, 1), "VALID", name="branch0_1")(short)
        long = chain(conv, "branch1", x, (64, 1, 1), (64, 1, 7), (64, 7, 1))
        long = conv(96, (3, 3), (1, 1), "VALID", name="branch1_3")(long)
        x = jnp.concatenate([short, long], -1)
        strided = conv(192, (3, 3), (third, third), "VALID", name="conv4")(x)
        return jnp.concatenate([strided, maximum(x, third)], -1)


class InceptionA(nn.Module):
    """Module of the 35x35 map (Fig. 4)."""

    conv: Layer

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
        conv = self.conv
        one = chain(conv, "branch0", x, (96, 1, 1))
        three = chain(conv, "branch1", x, (64, 1, 1), (96, 3, 3))
        five = chain(conv, "branch2", x, (64, 1, 1), (96, 3, 3), (96, 3, 3))
        pool = chain(conv, "branch3", neighborhood_mean(x), (96, 1, 1))
        return jnp.concatenate([one, three, five, pool], -1)


class ReductionA(nn.Module):
    """35x35 to 17x17 (Fig. 7; k, l, m, n = 192, 224, 256, 384 of Table 1)."""

    conv: Layer

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b p q d"]:
        conv = self.conv
        three = conv(384, (3, 3), (2, 2), "VALID", name="branch0_0")(x)
        five = chain(conv, "branch1", x, (192, 1, 1), (224, 3, 3))
        five = conv(256, (3, 3), (2, 2), "VALID", name="branch1_2")(five)
        return jnp.concatenate([three, five, maximum(x)], -1)


class InceptionB(nn.Module):
    """Module of the 17x17 map (Fig. 5)."""

    conv: Layer

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
        conv = self.conv
        one = chain(conv, "branch0", x, (384, 1, 1))
        seven = chain(conv, "branch1", x, (192, 1, 1), (224, 1, 7), (256, 7, 1))
        layers = (192, 1, 1), (192, 7, 1), (224, 1, 7), (224, 7, 1), (256, 1, 7)
        thirteen = chain(conv, "branch2", x, *layers)
        pool = chain(conv, "branch3", neighborhood_mean(x), (128, 1, 1))
        return jnp.concatenate([one, seven, thirteen, pool], -1)


class ReductionB(nn.Module):
    """17x17 to 8x8 (Fig. 8)."""

    conv: Layer

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b p q d"]:
        conv = self.conv
        three = chain(conv, "branch0", x, (192, 1, 1))
        three = conv(192, (3, 3), (2, 2), "VALID", name="branch0_1")(three)
        seven = chain(conv, "branch1", x, (256, 1, 1), (256, 1, 7), (320, 7, 1))
        seven = conv(320, (3, 3), (2, 2), "VALID", name="branch1_3")(seven)
        return jnp.concatenate([three, seven, maximum(x)], -1)


class InceptionC(nn.Module):
    """Module of the 8x8 map (Fig. 6)."""

    conv: Layer

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
        conv = self.conv
        one = chain(conv, "branch0", x, (256, 1, 1))
        three = chain(conv, "branch1", x, (384, 1, 1))
        three_a = conv(256, (1, 3), name="branch1_1a")(three)
        three_b = conv(256, (3, 1), name="branch1_1b")(three)
        five = chain(conv, "branch2", x, (384, 1, 1), (448, 3, 1), (512, 1, 3))
        five_a = conv(256, (1, 3), name="branch2_3a")(five)
        five_b = conv(256, (3, 1), name="branch2_3b")(five)
        pool = chain(conv, "branch3", neighborhood_mean(x), (256, 1, 1))
        return jnp.concatenate([one, three_a, three_b, five_a, five_b, pool], -1)


class InceptionV4(nn.Module):
    """Stem, modules A, B and C with a reduction between them, global average, Dropout, Dense (Fig. 9).

    Attributes:
        modules: number of modules A, B and C.
        width: factor of all channels.
        strides: of the three reductions of the stem.
        dropout: before the output; the figure keeps 0.8.
        norm: options of ``batch_norm``.
    """

    modules: tuple[int, int, int] = (4, 7, 3)
    classes: int = 1000
    width: float = 1.0
    strides: tuple[int, int, int] = (2, 2, 2)
    dropout: float = 0.2
    norm: Mapping[str, Any] = FrozenDict(epsilon=1e-3)

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b classes"]:
        conv = widened(self.width, kernel_init=he_normal, norm=self.norm, train=train)
        a, b, c = self.modules
        x = Stem(conv, self.strides, name="stem")(image)
        for i in range(a):
            x = InceptionA(conv, name=f"a{i}")(x)
        x = ReductionA(conv, name="reduction_a")(x)
        for i in range(b):
            x = InceptionB(conv, name=f"b{i}")(x)
        x = ReductionB(conv, name="reduction_b")(x)
        for i in range(c):
            x = InceptionC(conv, name=f"c{i}")(x)
        x = jnp.mean(x, axis=(1, 2))
        x = Dropout(self.dropout, name="dropout")(x, train=train)
        return nn.Dense(self.classes, name="output")(x)


MODEL = InceptionV4
VARIANTS: dict[str, dict] = {
    "tiny": {"modules": (1, 1, 1), "width": 1 / 48, "strides": (2, 1, 1), "classes": 10},
    # For images of 32 pixels: maps of 11, 5 and 2, a quarter of the channels, one module of each kind.
    "small": {
        "modules": (1, 1, 1),
        "width": 1 / 4,
        "strides": (1, 1, 2),
        "dropout": 0.0,
        "classes": 10,
    },
    "4": {},
}
PUBLISHED = {"4": 42_679_816}  # timm's, with BatchNorm's scale
STATE = {"4": 63_168}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two color images of 299x299 pixels, 32x32 for "tiny" and "small"."""
    side = 32 if variant in ("tiny", "small") else 299
    return {"image": ShapeDtypeStruct((2, side, side, 3), jnp.float32)}
