"""SRResNet, which is SRGAN's generator. Ledig et al. 2017, Photo-Realistic Single Image Super-Resolution
Using a Generative Adversarial Network, arXiv:1609.04802, Fig. 4.
"""

import flax.linen as nn
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Conv, PReLU, batch_norm, pixel_shuffle


class Residual(nn.Module):
    """Convolution, BatchNorm, PReLU, convolution, BatchNorm, and the input."""

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b h w c"]:
        y = Conv(x.shape[-1], (3, 3), name="conv1")(x)
        y = PReLU(name="prelu")(batch_norm(train=train, name="bn1")(y))
        y = Conv(x.shape[-1], (3, 3), name="conv2")(y)
        return x + batch_norm(train=train, name="bn2")(y)


class SRResNet(nn.Module):
    """Map from images in 0..1 to images ``scale`` times as large, in 0..1: (tanh + 1) / 2 at the end.

    Attributes:
        scale: a power of 2: every doubling is a convolution and a pixel shuffle.
        blocks: B, residual blocks.
        width: channels.
        normalized: BatchNorm after the convolution behind the blocks, as in the paper; a PReLU in its
            place is leftthomas' first layout, of which there are trained weights.
    """

    scale: int = 4
    blocks: int = 16
    width: int = 64
    normalized: bool = True

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b i j c"]:
        start = PReLU(name="prelu")(Conv(self.width, (9, 9), name="input")(image))
        x = start
        for i in range(self.blocks):
            x = Residual(name=f"block{i}")(x, train=train)
        x = Conv(self.width, (3, 3), name="conv")(x)
        if self.normalized:
            x = batch_norm(train=train, name="bn")(x)
        else:
            x = PReLU(name="conv_prelu")(x)
        x = start + x
        for i in range((self.scale - 1).bit_length()):
            x = pixel_shuffle(Conv(4 * self.width, (3, 3), name=f"up{i}")(x), 2)
            x = PReLU(name=f"up{i}_prelu")(x)
        return (jnp.tanh(Conv(image.shape[-1], (9, 9), name="output")(x)) + 1) / 2


MODEL = SRResNet
VARIANTS: dict[str, dict] = {
    "tiny": {"scale": 2, "blocks": 1, "width": 4},
    "small": {"blocks": 4, "width": 32},
    "16": {},
    "leftthomas": {"blocks": 5},
    "leftthomas-x2": {"scale": 2, "blocks": 5, "normalized": False},
}
PUBLISHED = {"16": 1_549_462, "leftthomas": 734_219, "leftthomas-x2": 586_379}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two color images of 8x8 pixels."""
    return {"image": ShapeDtypeStruct((2, 8, 8, 3), jnp.float32)}
