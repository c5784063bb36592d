"""ResNet. He et al. 2015, Deep Residual Learning for Image Recognition, arXiv:1512.03385, Table 1.

v1.5: a bottleneck halves the map in its 3x3 convolution, not in the first 1x1 as in the paper
(0.5 % better; torchvision and everyone since train this form).
"""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Conv, batch_norm, max_pool

# He et al. 2015, arXiv:1502.01852, fan-out form.
he_normal = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
conv = partial(Conv, use_bias=False, kernel_init=he_normal)


class Block(nn.Module):
    """Two 3x3 convolutions (Fig. 5, left)."""

    width: int
    stride: int = 1
    last_scale: nn.initializers.Initializer = nn.initializers.ones
    expansion = 1

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b p q d"]:
        norm, strides = partial(batch_norm, train=train), (self.stride, self.stride)
        y = conv(self.width, (3, 3), strides, padding=1, name="conv1")(x)
        y = jax.nn.relu(norm(name="bn1")(y))
        y = conv(self.width, (3, 3), name="conv2")(y)
        y = norm(name="bn2", scale_init=self.last_scale)(y)
        return jax.nn.relu(y + _shortcut(x, self.width, strides, train))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 to four times the width (Fig. 5, right)."""

    width: int
    stride: int = 1
    last_scale: nn.initializers.Initializer = nn.initializers.ones
    expansion = 4

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b p q d"]:
        norm, strides = partial(batch_norm, train=train), (self.stride, self.stride)
        out = self.expansion * self.width
        y = jax.nn.relu(norm(name="bn1")(conv(self.width, (1, 1), name="conv1")(x)))
        y = conv(self.width, (3, 3), strides, padding=1, name="conv2")(y)
        y = jax.nn.relu(norm(name="bn2")(y))
        y = norm(name="bn3", scale_init=self.last_scale)(conv(out, (1, 1), name="conv3")(y))
        return jax.nn.relu(y + _shortcut(x, out, strides, train))


def _shortcut(x: Array, width: int, strides: tuple[int, int], train: bool) -> Array:
    """Identity, or a 1x1 projection where the shape changes (option B). Called in a block's scope."""
    if strides == (1, 1) and x.shape[-1] == width:
        return x
    x = conv(width, (1, 1), strides, name="shortcut_conv")(x)
    return batch_norm(train=train, name="shortcut_bn")(x)


class ResNet(nn.Module):
    """Stem, four stages of residual blocks, global average, Dense.

    Attributes:
        stages: blocks per stage.
        block: ``Block`` or ``Bottleneck``, the two of Fig. 5.
        stem: "imagenet" is 7x7 stride 2 and a 3x3 max-pooling; "small" is 3x3 stride 1, for images
            of about 32 pixels.
        zero_last: start every block as the identity, the last BatchNorm's scale at 0 (Goyal et al.
            2017, arXiv:1706.02677, section 5.1).
    """

    stages: tuple[int, ...]
    block: type[Block] | type[Bottleneck] = Block
    classes: int = 1000
    width: int = 64
    stem: str = "imagenet"
    zero_last: bool = False

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b classes"]:
        last = nn.initializers.zeros if self.zero_last else nn.initializers.ones
        size, stride = (7, 2) if self.stem == "imagenet" else (3, 1)
        x = conv(self.width, (size, size), (stride, stride), padding=size // 2, name="conv1")(image)
        x = jax.nn.relu(batch_norm(train=train, name="bn1")(x))
        if self.stem == "imagenet":
            x = max_pool(x, 3, 2, 1)
        for i, blocks in enumerate(self.stages):
            for j in range(blocks):
                stride = 2 if i > 0 and j == 0 else 1
                name = f"layer{i + 1}_{j}"
                x = self.block(self.width * 2**i, stride, last, name=name)(x, train=train)
        x = jnp.mean(x, axis=(1, 2))
        return nn.Dense(self.classes, name="output")(x)


MODEL = ResNet
VARIANTS: dict[str, dict] = {
    "tiny": {"stages": (1, 1), "width": 4, "classes": 10, "stem": "small"},
    "18": {"stages": (2, 2, 2, 2)},
    "34": {"stages": (3, 4, 6, 3)},
    "50": {"stages": (3, 4, 6, 3), "block": Bottleneck},
    "101": {"stages": (3, 4, 23, 3), "block": Bottleneck},
    "152": {"stages": (3, 8, 36, 3), "block": Bottleneck},
}
# torchvision's, without the moving statistics
PUBLISHED = {
    "18": 11_689_512,
    "34": 21_797_672,
    "50": 25_557_032,
    "101": 44_549_160,
    "152": 60_192_808,
}
STATE = {"50": 53_120}  # means and variances, as Keras counts them


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two color images of 224x224 pixels, 16x16 for "tiny"."""
    side = 16 if variant == "tiny" else 224
    return {"image": ShapeDtypeStruct((2, side, side, 3), jnp.float32)}
