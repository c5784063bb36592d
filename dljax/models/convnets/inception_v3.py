"""Inception v3. Szegedy et al. 2015, Rethinking the Inception Architecture for Computer Vision,
arXiv:1512.00567, Table 1 and Figs. 5 to 8.

Where the paper is silent (widths inside the modules, padding of the stem), the authors' code decides,
which torchvision and Keras follow. They differ in BatchNorm's scale and momentum, in the average's
padding and in the initializer: rows of ``VARIANTS``.
"""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from flax.core import FrozenDict
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.errors import UserError
from dljax.nn import Dropout, max_pool, neighborhood_mean, widened

Layer = Callable[..., Any]


def truncated(deviation: float) -> nn.initializers.Initializer:
    """The authors' code: a normal distribution cut at two deviations."""
    return nn.initializers.truncated_normal(deviation)


def half(x: Array) -> Array:
    """3x3 maximum of stride 2."""
    return max_pool(x, 3, 2)


def zero_padded_mean(x: Array) -> Array:
    """3x3 average in which the zeros of the padding count, as in torchvision."""
    return nn.avg_pool(x, (3, 3), padding="SAME")


class InceptionA(nn.Module):
    """Two 3x3 convolutions in place of a 5x5 (Fig. 5); the other 5x5 stays, as in the authors' code."""

    conv: Layer
    average: Layer
    pool: int

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
        conv = self.conv
        one = conv(64, name="branch1x1")(x)
        five = conv(48, name="branch5x5_1")(x)
        five = conv(64, (5, 5), name="branch5x5_2")(five)
        three = conv(64, name="branch3x3dbl_1")(x)
        three = conv(96, (3, 3), name="branch3x3dbl_2")(three)
        three = conv(96, (3, 3), name="branch3x3dbl_3")(three)
        pool = conv(self.pool, name="branch_pool")(self.average(x))
        return jnp.concatenate([one, five, three, pool], -1)


class ReductionA(nn.Module):
    """Convolutions and a maximum of stride 2 beside each other (Fig. 10): 35x35 to 17x17."""

    conv: Layer

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b p q d"]:
        conv = self.conv
        three = conv(384, (3, 3), (2, 2), "VALID", name="branch3x3")(x)
        double = conv(64, name="branch3x3dbl_1")(x)
        double = conv(96, (3, 3), name="branch3x3dbl_2")(double)
        double = conv(96, (3, 3), (2, 2), "VALID", name="branch3x3dbl_3")(double)
        return jnp.concatenate([three, double, half(x)], -1)


class InceptionB(nn.Module):
    """1x7 and 7x1 convolutions in place of 7x7 (Fig. 6)."""

    conv: Layer
    average: Layer
    inner: int

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
        conv, inner = self.conv, self.inner
        one = conv(192, name="branch1x1")(x)
        seven = conv(inner, name="branch7x7_1")(x)
        seven = conv(inner, (1, 7), name="branch7x7_2")(seven)
        seven = conv(192, (7, 1), name="branch7x7_3")(seven)
        double = conv(inner, name="branch7x7dbl_1")(x)
        double = conv(inner, (7, 1), name="branch7x7dbl_2")(double)
        double = conv(inner, (1, 7), name="branch7x7dbl_3")(double)
        double = conv(inner, (7, 1), name="branch7x7dbl_4")(double)
        double = conv(192, (1, 7), name="branch7x7dbl_5")(double)
        pool = conv(192, name="branch_pool")(self.average(x))
        return jnp.concatenate([one, seven, double, pool], -1)


class ReductionB(nn.Module):
    """17x17 to 8x8."""

    conv: Layer

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b p q d"]:
        conv = self.conv
        three = conv(192, name="branch3x3_1")(x)
        three = conv(320, (3, 3), (2, 2), "VALID", name="branch3x3_2")(three)
        seven = conv(192, name="branch7x7x3_1")(x)
        seven = conv(192, (1, 7), name="branch7x7x3_2")(seven)
        seven = conv(192, (7, 1), name="branch7x7x3_3")(seven)
        seven = conv(192, (3, 3), (2, 2), "VALID", name="branch7x7x3_4")(seven)
        return jnp.concatenate([three, seven, half(x)], -1)


class InceptionC(nn.Module):
    """1x3 and 3x1 convolutions beside each other, for many features on a small map (Fig. 7)."""

    conv: Layer
    average: Layer

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
        conv = self.conv
        one = conv(320, name="branch1x1")(x)
        three = conv(384, name="branch3x3_1")(x)
        three_a = conv(384, (1, 3), name="branch3x3_2a")(three)
        three_b = conv(384, (3, 1), name="branch3x3_2b")(three)
        double = conv(448, name="branch3x3dbl_1")(x)
        double = conv(384, (3, 3), name="branch3x3dbl_2")(double)
        double_a = conv(384, (1, 3), name="branch3x3dbl_3a")(double)
        double_b = conv(384, (3, 1), name="branch3x3dbl_3b")(double)
        pool = conv(192, name="branch_pool")(self.average(x))
        return jnp.concatenate([one, three_a, three_b, double_a, double_b, pool], -1)


class AuxiliaryHead(nn.Module):
    """A classifier on the 17x17 map (section 4, Fig. 8)."""

    conv: Layer
    classes: int
    window: int
    stride: int
    kernel: int

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b classes"]:
        w, s, k = self.window, self.stride, self.kernel
        least = w + (k - 1) * s
        if min(x.shape[1:3]) < least:
            raise UserError(
                f"the auxiliary head of Inception v3 has a map of {x.shape[1]} x {x.shape[2]}, expected "
                f"{least} x {least} or more (images of 299 x 299): use larger images, or the variant "
                "without it"
            )
        x = nn.avg_pool(x, (w, w), (s, s))
        x = self.conv(128, name="conv0")(x)
        x = self.conv(768, (k, k), (1, 1), "VALID", kernel_init=truncated(0.01), name="conv1")(x)
        x = jnp.mean(x, axis=(1, 2))
        return nn.Dense(self.classes, kernel_init=truncated(0.001), name="output")(x)


class InceptionV3(nn.Module):
    """Stem, modules A on 35x35, B on 17x17, C on 8x8, global average, Dense.

    Attributes:
        a: channels of the pooled branch of each module A.
        b: channels inside each module B.
        c: number of modules C.
        auxiliary: window and stride of the average, and kernel of the convolution, of the auxiliary
            head; None for a network without.
        width: factor of all channels (the authors' depth multiplier).
        strides: of the stem's first convolution and of its two poolings; a pooling of stride 1 is left
            out.
        dropout: before the output.
        norm: options of ``batch_norm``.
        average: 3x3 average of the modules.
    """

    a: tuple[int, ...] = (32, 64, 64)
    b: tuple[int, ...] = (128, 160, 160, 192)
    c: int = 2
    auxiliary: tuple[int, int, int] | None = None
    classes: int = 1000
    width: float = 1.0
    strides: tuple[int, int, int] = (2, 2, 2)
    dropout: float = 0.5
    norm: Mapping[str, Any] = FrozenDict(epsilon=1e-3)
    average: Layer = zero_padded_mean
    kernel_init: nn.initializers.Initializer = truncated(0.1)

    @nn.compact
    def __call__(
        self, image: Float[Array, "b h w c"], *, train: bool
    ) -> Float[Array, "b classes"] | tuple[Float[Array, "b classes"], ...]:
        """Logits; in training, where there is an auxiliary head, (logits, its logits)."""
        given = {"kernel_init": self.kernel_init, "norm": self.norm, "train": train}
        conv, average = widened(self.width, **given), self.average
        stride, *pooled = self.strides
        x = conv(32, (3, 3), (stride, stride), "VALID", name="conv1a")(image)
        x = conv(32, (3, 3), (1, 1), "VALID", name="conv2a")(x)
        x = conv(64, (3, 3), name="conv2b")(x)
        x = conv(80, name="conv3b")(half(x) if pooled[0] > 1 else x)
        x = conv(192, (3, 3), (1, 1), "VALID", name="conv4a")(x)
        x = half(x) if pooled[1] > 1 else x
        for i, pool in enumerate(self.a):
            x = InceptionA(conv, average, pool, name=f"a{i}")(x)
        x = ReductionA(conv, name="reduction_a")(x)
        for i, inner in enumerate(self.b):
            x = InceptionB(conv, average, inner, name=f"b{i}")(x)
        others: tuple[Array, ...] = ()
        if self.auxiliary and (train or self.is_initializing()):
            head = AuxiliaryHead(conv, self.classes, *self.auxiliary, name="auxiliary")
            others = (head(x),)
        x = ReductionB(conv, name="reduction_b")(x)
        for i in range(self.c):
            x = InceptionC(conv, average, name=f"c{i}")(x)
        x = jnp.mean(x, axis=(1, 2))
        x = Dropout(self.dropout, name="dropout")(x, train=train)
        logits = nn.Dense(self.classes, kernel_init=self.kernel_init, name="output")(x)
        return (logits, *others) if train and others else logits


MODEL = InceptionV3
VARIANTS: dict[str, dict] = {
    "tiny": {
        "a": (32,),
        "b": (128,),
        "c": 1,
        "auxiliary": (3, 1, 1),
        "classes": 10,
        "width": 1 / 32,
        "strides": (2, 1, 1),
    },
    # For images of 32 pixels: maps of 11, 5 and 2, a quarter of the channels, fewer modules.
    "small": {
        "a": (64,),
        "b": (128, 192),
        "c": 1,
        "auxiliary": (3, 2, 2),
        "classes": 10,
        "width": 1 / 4,
        "strides": (1, 2, 1),
        "dropout": 0.0,
    },
    "torchvision": {},
    "torchvision-auxiliary": {"auxiliary": (5, 3, 5)},
    "keras": {
        "dropout": 0.0,
        "norm": {"epsilon": 1e-3, "momentum": 0.99, "use_scale": False},
        "average": neighborhood_mean,
        "kernel_init": nn.initializers.xavier_uniform(),
    },
}
# torchvision's (and timm's), with BatchNorm's scale; Keras', without
PUBLISHED = {
    "torchvision": 23_834_568,
    "torchvision-auxiliary": 27_161_264,
    "keras": 23_817_352,
}
STATE = {"torchvision": 34_432, "torchvision-auxiliary": 36_224, "keras": 34_432}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two color images of 299x299 pixels, 32x32 for "tiny" and "small"."""
    side = 32 if variant in ("tiny", "small") else 299
    return {"image": ShapeDtypeStruct((2, side, side, 3), jnp.float32)}
