"""SimCLR. Chen et al. 2020, A Simple Framework for Contrastive Learning of Visual Representations,
arXiv:2002.05709, Figure 2 and section 2.1.

    h = f(x), a ResNet up to its average;   z = g(h) = W_2 relu(W_1 h)

The ResNet is He et al. 2015, arXiv:1512.03385, Table 1, in the v1.5 form (a bottleneck halves the map in its 3x3
convolution). The authors' program has a BatchNorm in g besides.
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


def _shortcut(x: Array, width: int, strides: tuple[int, int], train: bool) -> Array:
    """Identity, or a 1x1 projection where the shape changes. Called in a block's scope."""
    if strides == (1, 1) and x.shape[-1] == width:
        return x
    x = conv(width, (1, 1), strides, name="shortcut_conv")(x)
    return batch_norm(train=train, name="shortcut_bn")(x)


class Block(nn.Module):
    """Two 3x3 convolutions."""

    width: int
    stride: int = 1
    expansion = 1

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b p q d"]:
        norm, strides = partial(batch_norm, train=train), (self.stride, self.stride)
        y = conv(self.width, (3, 3), strides, padding=1, name="conv1")(x)
        y = jax.nn.relu(norm(name="bn1")(y))
        y = norm(name="bn2")(conv(self.width, (3, 3), name="conv2")(y))
        return jax.nn.relu(y + _shortcut(x, self.width, strides, train))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 to four times the width."""

    width: int
    stride: int = 1
    expansion = 4

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b p q d"]:
        norm, strides = partial(batch_norm, train=train), (self.stride, self.stride)
        out = self.expansion * self.width
        y = jax.nn.relu(norm(name="bn1")(conv(self.width, (1, 1), name="conv1")(x)))
        y = conv(self.width, (3, 3), strides, padding=1, name="conv2")(y)
        y = jax.nn.relu(norm(name="bn2")(y))
        y = norm(name="bn3")(conv(out, (1, 1), name="conv3")(y))
        return jax.nn.relu(y + _shortcut(x, out, strides, train))


class Trunk(nn.Module):
    """Stem, stages of residual blocks, global average: the representation h.

    Attributes:
        stages: blocks per stage.
        block: ``Block`` or ``Bottleneck``.
        width: channels of the first stage; 64 is the paper's 1x.
        stem: "imagenet" is 7x7 stride 2 and a 3x3 max-pooling; "small" is 3x3 stride 1 (appendix B.9, for
            CIFAR-10).
    """

    stages: tuple[int, ...]
    block: type[Block] | type[Bottleneck] = Block
    width: int = 64
    stem: str = "imagenet"

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b d"]:
        size, stride = (7, 2) if self.stem == "imagenet" else (3, 1)
        x = conv(self.width, (size, size), (stride, stride), padding=size // 2, name="conv1")(image)
        x = jax.nn.relu(batch_norm(train=train, name="bn1")(x))
        if self.stem == "imagenet":
            x = max_pool(x, 3, 2, 1)
        for i, blocks in enumerate(self.stages):
            for j in range(blocks):
                stride = 2 if i > 0 and j == 0 else 1
                name = f"layer{i + 1}_{j}"
                x = self.block(self.width * 2**i, stride, name=name)(x, train=train)
        return jnp.mean(x, axis=(1, 2))


class SimCLR(nn.Module):
    """The projection z of the trunk's representation h, on which images are compared in training alone.

    Attributes:
        features: length of z; the hidden layer is as wide as h.
    """

    trunk: Trunk
    features: int = 128

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b z"]:
        h = self.trunk(image, train=train)
        x = jax.nn.relu(nn.Dense(h.shape[-1], name="hidden")(h))
        return nn.Dense(self.features, name="projection")(x)

    def represent(self, image: Float[Array, "b h w c"]) -> Float[Array, "b d"]:
        return self.trunk(image, train=False)


class Classifier(nn.Module):
    """Logits of classes, linear in the trunk's h, for fine-tuning (section 4.2); g is thrown away."""

    trunk: Trunk
    classes: int

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b classes"]:
        return nn.Dense(self.classes, name="output")(self.trunk(image, train=train))


MODEL = SimCLR
VARIANTS: dict[str, dict] = {
    "tiny": {"trunk": Trunk((1, 1), width=4, stem="small"), "features": 8},
    # For images of 16 to 28 pixels (no published form).
    "small": {"trunk": Trunk((1, 1, 1), width=16, stem="small"), "features": 64},
    "18": {"trunk": Trunk((2, 2, 2, 2))},
    "18-cifar": {"trunk": Trunk((2, 2, 2, 2), stem="small")},
    "50": {"trunk": Trunk((3, 4, 6, 3), Bottleneck)},
}
# Torchvision's ResNets without their last layer (of 512 or 2048 x 1000 and 1000), 3 channels, and a head with
# biases: 512 x 512 + 512 + 512 x 128 + 128 = 328,320; 2048 x 2048 + 2048 + 2048 x 128 + 128 = 4,458,624.
PUBLISHED = {"18": 11_504_832, "18-cifar": 11_497_152, "50": 27_966_656}
STATE = {"50": 53_120}  # means and variances, as Keras counts them


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two color images of 224x224 pixels, 32x32 for "small" and "18-cifar", 8x8 for "tiny"."""
    side = {"tiny": 8, "small": 32, "18-cifar": 32}.get(variant, 224)
    return {"image": ShapeDtypeStruct((2, side, side, 3), jnp.float32)}
