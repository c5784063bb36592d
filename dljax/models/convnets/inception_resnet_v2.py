"""Inception-ResNet v2. Szegedy et al. 2016, Inception-v4, Inception-ResNet and the Impact of Residual
Connections on Learning, arXiv:1602.07261, Figs. 15 to 19, section 3.3.

The network that the authors released, and timm and Keras have. It is not the one of the paper's figures:
the stem is that of Inception v3 with a module of its own at the end, so that the maps have 320, 1088 and
2080 channels, and the modules are 10, 20 and 10 where Fig. 15 has 5, 10 and 5.
"""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.core import FrozenDict
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Conv, Dropout, max_pool, neighborhood_mean, widened

Layer = Callable[..., Any]
# The authors' code: He et al. 2015, arXiv:1502.01852, fan-in form, cut at two deviations.
he_normal = nn.initializers.variance_scaling(2.0, "fan_in", "truncated_normal")


def half(x: Array) -> Array:
    """3x3 maximum of stride 2."""
    return max_pool(x, 3, 2)


def chain(conv: Layer, name: str, x: Array, *layers: tuple[int, int, int]) -> Array:
    """Convolutions in a row, each (features, height, width); to be called in a module's scope."""
    for i, (features, *kernel) in enumerate(layers):
        x = conv(features, tuple(kernel), name=f"{name}_{i}")(x)
    return x


class Mixed5b(nn.Module):
    """Inception module without a residual link, the last of the stem: 35x35x192 to 35x35x320."""

    conv: Layer

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
        conv = self.conv
        one = chain(conv, "branch0", x, (96, 1, 1))
        five = chain(conv, "branch1", x, (48, 1, 1), (64, 5, 5))
        three = chain(conv, "branch2", x, (64, 1, 1), (96, 3, 3), (96, 3, 3))
        pool = chain(conv, "branch3", neighborhood_mean(x), (64, 1, 1))
        return jnp.concatenate([one, five, three, pool], -1)


class ReductionA(nn.Module):
    """35x35 to 17x17 (Fig. 7; k, l, m, n = 256, 256, 384, 384 of Table 1)."""

    conv: Layer

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b p q d"]:
        conv = self.conv
        three = conv(384, (3, 3), (2, 2), "VALID", name="branch0_0")(x)
        five = chain(conv, "branch1", x, (256, 1, 1), (256, 3, 3))
        five = conv(384, (3, 3), (2, 2), "VALID", name="branch1_2")(five)
        return jnp.concatenate([three, five, half(x)], -1)


class ReductionB(nn.Module):
    """17x17 to 8x8 (Fig. 18)."""

    conv: Layer

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b p q d"]:
        conv = self.conv
        a = chain(conv, "branch0", x, (256, 1, 1))
        a = conv(384, (3, 3), (2, 2), "VALID", name="branch0_1")(a)
        b = chain(conv, "branch1", x, (256, 1, 1))
        b = conv(288, (3, 3), (2, 2), "VALID", name="branch1_1")(b)
        c = chain(conv, "branch2", x, (256, 1, 1), (288, 3, 3))
        c = conv(320, (3, 3), (2, 2), "VALID", name="branch2_2")(c)
        return jnp.concatenate([a, b, c, half(x)], -1)


# The branches of the residual modules, each convolutions of (features, height, width).
Branches = tuple[tuple[tuple[int, int, int], ...], ...]
A: Branches = (  # Fig. 16
    ((32, 1, 1),),
    ((32, 1, 1), (32, 3, 3)),
    ((32, 1, 1), (48, 3, 3), (64, 3, 3)),
)
B: Branches = (((192, 1, 1),), ((128, 1, 1), (160, 1, 7), (192, 7, 1)))  # Fig. 17
C: Branches = (((192, 1, 1),), ((192, 1, 1), (224, 1, 3), (256, 3, 1)))  # Fig. 19


class Residual(nn.Module):
    """Inception module without pooling; a linear 1x1 convolution; x + scale times that; ReLU.

    Attributes:
        scale: of the residual, which keeps training stable (section 3.3).
        activation: after the sum.
    """

    conv: Layer
    branches: Branches
    scale: float
    kernel_init: nn.initializers.Initializer
    activation: Callable[[Array], Array] = jax.nn.relu

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        outs = [
            chain(self.conv, f"branch{i}", x, *layers) for i, layers in enumerate(self.branches)
        ]
        linear = Conv(x.shape[-1], (1, 1), kernel_init=self.kernel_init, name="linear")
        return self.activation(x + self.scale * linear(jnp.concatenate(outs, -1)))


class InceptionResNetV2(nn.Module):
    """Stem, residual modules A, B and C with a reduction between them, 1x1 convolution, average, Dense.

    Attributes:
        modules: number of modules A, B and C.
        scales: of their residuals; the last C adds its own unscaled and without ReLU.
        width: factor of all channels.
        strides: of the stem's first convolution and of its two poolings; a pooling of stride 1 is left
            out.
        dropout: before the output; Fig. 15 keeps 0.8.
        norm: options of ``batch_norm``.
    """

    modules: tuple[int, int, int] = (10, 20, 10)
    scales: tuple[float, float, float] = (0.17, 0.1, 0.2)
    classes: int = 1000
    width: float = 1.0
    strides: tuple[int, int, int] = (2, 2, 2)
    dropout: float = 0.2
    norm: Mapping[str, Any] = FrozenDict(epsilon=1e-3)
    kernel_init: nn.initializers.Initializer = he_normal

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b classes"]:
        init = self.kernel_init
        conv = widened(self.width, kernel_init=init, norm=self.norm, train=train)
        (a, b, c), (scale_a, scale_b, scale_c) = self.modules, self.scales
        stride, *pooled = self.strides
        x = conv(32, (3, 3), (stride, stride), "VALID", name="conv1a")(image)
        x = conv(32, (3, 3), (1, 1), "VALID", name="conv2a")(x)
        x = conv(64, (3, 3), name="conv2b")(x)
        x = conv(80, name="conv3b")(half(x) if pooled[0] > 1 else x)
        x = conv(192, (3, 3), (1, 1), "VALID", name="conv4a")(x)
        x = half(x) if pooled[1] > 1 else x
        x = Mixed5b(conv, name="mixed5b")(x)
        for i in range(a):
            x = Residual(conv, A, scale_a, init, name=f"a{i}")(x)
        x = ReductionA(conv, name="reduction_a")(x)
        for i in range(b):
            x = Residual(conv, B, scale_b, init, name=f"b{i}")(x)
        x = ReductionB(conv, name="reduction_b")(x)
        for i in range(c - 1):
            x = Residual(conv, C, scale_c, init, name=f"c{i}")(x)
        x = Residual(conv, C, 1.0, init, lambda x: x, name=f"c{c - 1}")(x)
        x = conv(1536, name="conv7b")(x)
        x = jnp.mean(x, axis=(1, 2))
        x = Dropout(self.dropout, name="dropout")(x, train=train)
        return nn.Dense(self.classes, name="output")(x)


MODEL = InceptionResNetV2
VARIANTS: dict[str, dict] = {
    "tiny": {"modules": (1, 1, 1), "width": 1 / 32, "strides": (2, 1, 1), "classes": 10},
    # For images of 32 pixels: maps of 11, 5 and 2, a quarter of the channels, a fifth of the modules.
    "small": {
        "modules": (2, 4, 2),
        "width": 1 / 4,
        "strides": (1, 2, 1),
        "dropout": 0.0,
        "classes": 10,
    },
    "timm": {},
    "keras": {
        "dropout": 0.0,
        "norm": {"epsilon": 1e-3, "momentum": 0.99, "use_scale": False},
        "kernel_init": nn.initializers.xavier_uniform(),
    },
}
# timm's with BatchNorm's scale, Keras' without
PUBLISHED = {"timm": 55_843_464, "keras": 55_813_192}
STATE = {"timm": 60_544, "keras": 60_544}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two color images of 299x299 pixels, 32x32 for "tiny" and "small"."""
    side = 32 if variant in ("tiny", "small") else 299
    return {"image": ShapeDtypeStruct((2, side, side, 3), jnp.float32)}
