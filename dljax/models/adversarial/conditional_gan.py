"""Conditional GAN. Mirza & Osindero 2014, Conditional Generative Adversarial Nets, arXiv:1411.1784.

Both players are told the class. Layers as in PyTorch-GAN's cgan.py: a table of as many numbers as there are
classes, beside the noise and beside the pixels.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float, Int

from dljax.nn import Dropout, batch_norm


def _told(label: Array, classes: int, beside: Array) -> Array:
    """A label's row of the module's table, in front of a vector: [b, classes + d]."""
    draws = nn.initializers.normal(1.0)  # PyTorch's
    row = nn.Embed(classes, classes, embedding_init=draws, name="label")(label)
    return jnp.concatenate([row.astype(beside.dtype), beside], axis=1)


class Generator(nn.Module):
    """Map from noise and class to images in -1..1."""

    shape: tuple[int, int, int]
    hidden: tuple[int, ...]
    classes: int

    @nn.compact
    def __call__(
        self, noise: Float[Array, "b z"], label: Int[Array, " b"], *, train: bool
    ) -> Float[Array, "b h w c"]:
        x = _told(label, self.classes, noise)
        for layer, width in enumerate(self.hidden):
            x = nn.Dense(width, name=f"hidden{layer}")(x)
            if layer:
                x = batch_norm(train=train, epsilon=0.8, name=f"norm{layer}")(x)
            x = jax.nn.leaky_relu(x, 0.2)
        x = jnp.tanh(nn.Dense(math.prod(self.shape), name="output")(x))
        return jnp.reshape(x, (noise.shape[0], *self.shape))


class Discriminator(nn.Module):
    """Map from images and classes to the logits that they are real."""

    hidden: tuple[int, ...]
    classes: int

    @nn.compact
    def __call__(
        self, image: Float[Array, "b h w c"], label: Int[Array, " b"], *, train: bool
    ) -> Float[Array, " b"]:
        x = _told(label, self.classes, jnp.reshape(image, (image.shape[0], -1)))
        for layer, width in enumerate(self.hidden):
            x = nn.Dense(width, name=f"hidden{layer}")(x)
            if layer:
                x = Dropout(0.4, name=f"dropout{layer}")(x, train=train)
            x = jax.nn.leaky_relu(x, 0.2)
        return nn.Dense(1, name="output")(x)[:, 0]


class ConditionalGAN(nn.Module):
    """Generator and discriminator; a call gives the discriminator's logits of images made of noise.

    A task takes them apart: ``generator, discriminator = model.parts()``.

    Attributes:
        shape: of the images.
        hidden: widths of the generator's hidden layers, with BatchNorm from the second on.
        judging: widths of the discriminator's, with dropout from the second on.
        classes: number of classes.
        latent: length of the noise.
    """

    shape: tuple[int, int, int] = (28, 28, 1)
    hidden: tuple[int, ...] = (128, 256, 512, 1024)
    judging: tuple[int, ...] = (512, 512, 512)
    classes: int = 10
    latent: int = 100

    def parts(self) -> tuple[Generator, Discriminator]:
        return (
            Generator(self.shape, self.hidden, self.classes, parent=None),
            Discriminator(self.judging, self.classes, parent=None),
        )

    def setup(self):
        self.generator, self.discriminator = (part.clone() for part in self.parts())

    def __call__(
        self, noise: Float[Array, "b z"], label: Int[Array, " b"], *, train: bool
    ) -> Float[Array, " b"]:
        return self.discriminator(self.generator(noise, label, train=train), label, train=train)


MODEL = ConditionalGAN
VARIANTS: dict[str, dict] = {
    "tiny": {"hidden": (8, 8), "judging": (8, 8), "latent": 4},
    "28": {},
    "32": {"shape": (32, 32, 1)},
}
# Generator 1,511,412 + discriminator 932,965; generator 1,757,412 + discriminator 1,055,845.
PUBLISHED = {"28": 2_444_377, "32": 2_813_257}
STATE = {"28": 3_584, "32": 3_584}  # mean and variance of 256, 512 and 1,024 units


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """The noise and the classes for two images."""
    latent = VARIANTS[variant].get("latent", 100)
    return {
        "noise": ShapeDtypeStruct((2, latent), jnp.float32),
        "label": ShapeDtypeStruct((2,), jnp.int32),
    }
