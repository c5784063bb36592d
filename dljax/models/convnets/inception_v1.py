"""Inception v1 (GoogLeNet). Szegedy et al. 2014, Going Deeper with Convolutions, arXiv:1409.4842,
Table 1 and Fig. 3.

As everyone trains it since: BatchNorm after each convolution (Ioffe & Szegedy 2015, arXiv:1502.03167)
in place of biases and of the two local response normalizations. torchvision and the authors' later code
have a 3x3 convolution where Table 1 says 5x5 (pytorch/vision#906); the row "5x5" follows the table.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.core import FrozenDict
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import ConvNorm, Dropout, max_pool

# The authors' later code: a normal distribution cut at two deviations.
truncated = nn.initializers.truncated_normal(0.01)

# Table 1: #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj
Row = tuple[int, int, int, int, int, int]
TABLE: tuple[tuple[Row, ...], ...] = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),  # 3a, 3b
    (
        (192, 96, 208, 16, 48, 64),  # 4a to 4e
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),  # 5a, 5b
)


def half(x: Float[Array, "b h w c"], window: int = 3) -> Float[Array, "b p q c"]:
    """Maximum over windows at a stride of 2.

    The last window is filled up at the bottom and right where pixels are left over (Caffe's rounding,
    PyTorch's ``ceil_mode``): 112, 56, 28, 14, 7.
    """
    bottom, right = ((window - n) % 2 for n in x.shape[1:3])
    return max_pool(x, window, 2, ((0, bottom), (0, right)))


def average_to(x: Float[Array, "b h w c"], side: int) -> Float[Array, "b side side c"]:
    """Means over ``side`` x ``side`` areas that overlap where they do not divide the map."""

    def weights(n: int) -> np.ndarray:
        first = [i * n // side for i in range(side)]
        end = [-(-(i + 1) * n // side) for i in range(side)]
        return np.array(
            [[(a <= j < z) / (z - a) for j in range(n)] for a, z in zip(first, end, strict=True)]
        )

    rows, columns = (jnp.asarray(weights(n), x.dtype) for n in x.shape[1:3])
    return jnp.einsum("ih,jw,bhwc->bijc", rows, columns, x)


class Inception(nn.Module):
    """1x1, 3x3 and 5x5 convolutions and a 3x3 maximum beside each other, each reduced by 1x1 (Fig. 2b).

    Attributes:
        row: of Table 1.
        large: kernel in the branch that the table calls 5x5.
    """

    conv: Any
    row: Row
    large: int

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
        conv, size = self.conv, (self.large, self.large)
        one, three_reduce, three, five_reduce, five, pool = self.row
        a = conv(one, name="one")(x)
        b = conv(three, (3, 3), name="three")(conv(three_reduce, name="three_reduce")(x))
        c = conv(five, size, name="five")(conv(five_reduce, name="five_reduce")(x))
        d = conv(pool, name="pool")(max_pool(x, 3, 1, "SAME"))
        return jnp.concatenate([a, b, c, d], -1)


class AuxiliaryHead(nn.Module):
    """A classifier on an inner map (section 5): average to 4x4, 1x1 convolution, two Dense layers."""

    conv: Any
    classes: int
    features: int
    hidden: int
    dropout: float

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b classes"]:
        # As in torchvision; the paper's 5x5 windows of stride 3 give 4x4 from 14x14 alone.
        x = self.conv(self.features, name="conv")(average_to(x, 4))
        x = jnp.reshape(x, (x.shape[0], -1))
        x = jax.nn.relu(nn.Dense(self.hidden, kernel_init=truncated, name="hidden")(x))
        x = Dropout(self.dropout, name="dropout")(x, train=train)
        return nn.Dense(self.classes, kernel_init=truncated, name="output")(x)


class InceptionV1(nn.Module):
    """Stem, three stages of Inception modules, global average, Dropout, Dense.

    Attributes:
        stem: channels of its three convolutions.
        strides: of the stem's first convolution and of its two poolings; a pooling of stride 1 is left
            out.
        stages: rows of Table 1 for each module.
        auxiliary: modules of the second stage after which there is an auxiliary head (4a and 4d).
        head: channels of the convolution and of the hidden layer of an auxiliary head.
        large: kernel in the branch that the table calls 5x5.
        dropout: before the output; 0.4 in the paper.
        head_dropout: before the output of an auxiliary head.
        norm: options of ``batch_norm``.
    """

    stem: tuple[int, int, int] = (64, 64, 192)
    strides: tuple[int, int, int] = (2, 2, 2)
    stages: tuple[tuple[Row, ...], ...] = TABLE
    auxiliary: tuple[int, ...] = ()
    head: tuple[int, int] = (128, 1024)
    classes: int = 1000
    large: int = 3
    dropout: float = 0.2
    head_dropout: float = 0.7
    norm: Mapping[str, Any] = FrozenDict(epsilon=1e-3)

    @nn.compact
    def __call__(
        self, image: Float[Array, "b h w c"], *, train: bool
    ) -> Float[Array, "b classes"] | tuple[Float[Array, "b classes"], ...]:
        """Logits; in training, where there are auxiliary heads, (logits, first head's, second's)."""
        conv = partial(ConvNorm, train=train, kernel_init=truncated, norm=self.norm)
        first, second, third = self.stem
        stride, *pooled = self.strides
        x = conv(first, (7, 7), (stride, stride), padding=3, name="conv1")(image)
        x = half(x) if pooled[0] > 1 else x
        x = conv(third, (3, 3), name="conv3")(conv(second, name="conv2")(x))
        x = half(x) if pooled[1] > 1 else x
        others: list[Array] = []
        for i, rows in enumerate(self.stages):
            if i > 0:
                x = half(x, (3, 2)[i - 1])
            for j, row in enumerate(rows):
                x = Inception(conv, row, self.large, name=f"inception{i + 3}{'abcde'[j]}")(x)
                if i == 1 and j in self.auxiliary and (train or self.is_initializing()):
                    name = f"auxiliary{len(others) + 1}"
                    sizes = (self.classes, *self.head, self.head_dropout)
                    head = AuxiliaryHead(conv, *sizes, name=name)
                    others.append(head(x, train=train))
        x = jnp.mean(x, axis=(1, 2))
        x = Dropout(self.dropout, name="dropout")(x, train=train)
        logits = nn.Dense(self.classes, kernel_init=truncated, name="output")(x)
        return (logits, *others) if train and others else logits


MODEL = InceptionV1
VARIANTS: dict[str, dict] = {
    "tiny": {
        "stem": (2, 2, 4),
        "stages": ((), ((2, 2, 3, 2, 2, 2),), ((2, 2, 2, 2, 2, 2),)),
        "auxiliary": (0,),
        "head": (2, 16),
        "classes": 10,
    },
    # For images of 32 pixels: maps of 16, 8 and 4, a quarter of the channels, without the last Dropout.
    "small": {
        "stem": (16, 16, 48),
        "strides": (1, 2, 1),
        "stages": tuple(tuple(tuple(n // 4 for n in row) for row in rows) for rows in TABLE),
        "auxiliary": (0, 3),
        "head": (32, 256),
        "dropout": 0.0,
        "classes": 10,
    },
    "torchvision": {},
    "torchvision-auxiliary": {"auxiliary": (0, 3)},
    "5x5": {"large": 5, "dropout": 0.4, "auxiliary": (0, 3)},
}
# torchvision's, with BatchNorm's scale; and Caffe's 13,378,280 with 2 numbers for each of its 7,536 biases
PUBLISHED = {
    "torchvision": 6_624_904,
    "torchvision-auxiliary": 13_004_888,
    "5x5": 13_385_816,
}
STATE = {"torchvision": 14_560, "torchvision-auxiliary": 15_072, "5x5": 15_072}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two color images of 224x224 pixels, 32x32 for "tiny" and "small"."""
    side = 32 if variant in ("tiny", "small") else 224
    return {"image": ShapeDtypeStruct((2, side, side, 3), jnp.float32)}
