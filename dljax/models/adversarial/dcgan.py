"""DCGAN. Radford et al. 2016, Unsupervised Representation Learning with Deep Convolutional Generative
Adversarial Networks, arXiv:1511.06434, Fig. 1 and section 3.

Widths and layers as in pytorch/examples: the generator's first layer is a transposed convolution of
the noise (the paper says project and reshape: the same function), the discriminator's last one a
convolution over the whole map.
"""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Conv, ConvTranspose, batch_norm, near_one

# "All weights were initialized from a zero-centered Normal distribution with standard deviation 0.02"
_NORMAL = nn.initializers.normal(0.02)


class Generator(nn.Module):
    """Map from noise to images in -1..1: ``base`` x ``base`` pixels, doubled ``stages`` times."""

    channels: int
    width: int
    base: int
    stages: int

    @nn.compact
    def __call__(self, noise: Float[Array, "b z"], *, train: bool) -> Float[Array, "b h w c"]:
        x = noise[:, None, None, :]
        size, stride = self.base, 1
        padding: Literal["SAME", "VALID"] = "VALID"
        for stage in range(self.stages):
            features = self.width << (self.stages - 1 - stage)
            x = ConvTranspose(
                features,
                (size, size),
                stride,
                padding,
                use_bias=False,
                kernel_init=_NORMAL,
                name=f"up{stage}",
            )(x)
            x = jax.nn.relu(batch_norm(train=train, scale_init=near_one, name=f"norm{stage}")(x))
            size, stride, padding = 4, 2, "SAME"
        x = ConvTranspose(
            self.channels, (4, 4), 2, use_bias=False, kernel_init=_NORMAL, name="output"
        )(x)
        return jnp.tanh(x)


class Discriminator(nn.Module):
    """Map from images to the logits that they are real: leaky ReLU 0.2, no BatchNorm at first."""

    width: int
    base: int
    stages: int
    bias: bool

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"], *, train: bool) -> Float[Array, " b"]:
        x = image
        for stage in range(self.stages):
            x = Conv(
                self.width << stage,
                (4, 4),
                (2, 2),
                padding=1,
                use_bias=self.bias and stage == 0,
                kernel_init=_NORMAL,
                name=f"down{stage}",
            )(x)
            if stage:
                x = batch_norm(train=train, scale_init=near_one, name=f"norm{stage}")(x)
            x = jax.nn.leaky_relu(x, 0.2)
        x = Conv(
            1,
            (self.base, self.base),
            padding="VALID",
            use_bias=False,
            kernel_init=_NORMAL,
            name="output",
        )(x)
        return jnp.reshape(x, (image.shape[0],))


class DCGAN(nn.Module):
    """Generator and discriminator; a call gives the discriminator's logits of images made of noise.

    A task takes them apart: ``generator, discriminator = model.parts()``.

    Attributes:
        channels: of the images.
        width: channels of the generator's last hidden map and of the discriminator's first.
        base: sides of the generator's first map.
        stages: doublings; the images have sides of ``base * 2**stages``.
        latent: length of the noise.
        bias: add one to the discriminator's first layer. Without it BatchNorm makes that network blind
            to the contrast of a batch as a whole, and with only two stages the generator fades to gray.
    """

    channels: int = 3
    width: int = 64
    base: int = 4
    stages: int = 4
    latent: int = 100
    bias: bool = False

    def parts(self) -> tuple[Generator, Discriminator]:
        return (
            Generator(self.channels, self.width, self.base, self.stages, parent=None),
            Discriminator(self.width, self.base, self.stages, self.bias, parent=None),
        )

    def setup(self):
        self.generator, self.discriminator = (part.clone() for part in self.parts())

    def __call__(self, noise: Float[Array, "b z"], *, train: bool) -> Float[Array, " b"]:
        return self.discriminator(self.generator(noise, train=train), train=train)


MODEL = DCGAN
VARIANTS: dict[str, dict] = {
    "tiny": {"channels": 1, "width": 4, "base": 7, "stages": 2, "latent": 8},
    "28": {"channels": 1, "width": 32, "base": 7, "stages": 2, "bias": True},
    "64": {},
}
PUBLISHED = {
    "64": 6_342_272
}  # generator 3,576,704 + discriminator 2,765,568, BatchNorm's affine in


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """The noise for two images."""
    latent = VARIANTS[variant].get("latent", 100)
    return {"noise": ShapeDtypeStruct((2, latent), jnp.float32)}
