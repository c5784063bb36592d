"""GAN. Goodfellow et al. 2014, Generative Adversarial Nets, arXiv:1406.2661, section 5: MNIST.

Sizes, pieces, dropout and ranges of the first weights as in the authors' mnist.yaml. That file starts the
generator's last bias at the training set's mean gray levels; here it starts at 0.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Dropout


def _within(bound: float) -> nn.initializers.Initializer:
    """Uniform draws in -bound..bound: pylearn2's ``irange``."""

    def draw(key, shape, dtype=jnp.float32):
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return draw


class Generator(nn.Module):
    """Map from noise to images in 0..1: two layers of ReLU, then a sigmoid."""

    shape: tuple[int, int, int]
    hidden: int

    @nn.compact
    def __call__(self, noise: Float[Array, "b z"], *, train: bool) -> Float[Array, "b h w c"]:
        del train  # dropout is in the discriminator alone
        x, draw = noise, _within(0.05)
        for layer in range(2):
            x = jax.nn.relu(nn.Dense(self.hidden, kernel_init=draw, name=f"hidden{layer}")(x))
        h, w, c = self.shape
        x = jax.nn.sigmoid(nn.Dense(h * w * c, kernel_init=draw, name="output")(x))
        return jnp.reshape(x, (noise.shape[0], h, w, c))


class Discriminator(nn.Module):
    """Map from images to the logits that they are real: two layers of maxout (arXiv:1302.4389), whose
    inputs drop out.
    """

    units: int
    pieces: int

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"], *, train: bool) -> Float[Array, " b"]:
        x, draw = jnp.reshape(image, (image.shape[0], -1)), _within(0.005)
        for layer, rate in enumerate((0.2, 0.5)):
            x = Dropout(rate, name=f"dropout{layer}")(x, train=train)
            x = nn.Dense(self.units * self.pieces, kernel_init=draw, name=f"hidden{layer}")(x)
            x = jnp.max(jnp.reshape(x, (-1, self.units, self.pieces)), axis=-1)
        x = Dropout(0.5, name="dropout2")(x, train=train)
        return nn.Dense(1, kernel_init=draw, name="output")(x)[:, 0]


class GAN(nn.Module):
    """Generator and discriminator; a call gives the discriminator's logits of images made of noise.

    A task takes them apart: ``generator, discriminator = model.parts()``.

    Attributes:
        shape: of the images.
        hidden: units of each of the generator's hidden layers.
        units: maxout units of each of the discriminator's hidden layers.
        pieces: linear pieces of a unit.
        latent: length of the noise.
    """

    shape: tuple[int, int, int] = (28, 28, 1)
    hidden: int = 1200
    units: int = 240
    pieces: int = 5
    latent: int = 100

    def parts(self) -> tuple[Generator, Discriminator]:
        return (
            Generator(self.shape, self.hidden, parent=None),
            Discriminator(self.units, self.pieces, parent=None),
        )

    def setup(self):
        self.generator, self.discriminator = (part.clone() for part in self.parts())

    def __call__(self, noise: Float[Array, "b z"], *, train: bool) -> Float[Array, " b"]:
        return self.discriminator(self.generator(noise, train=train), train=train)


MODEL = GAN
VARIANTS: dict[str, dict] = {
    "tiny": {"hidden": 8, "units": 6, "pieces": 2, "latent": 4},
    "mnist": {},
}
PUBLISHED = {"mnist": 3_735_425}  # generator 2,503,984 + discriminator 1,231,441, with biases


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """The noise for two images."""
    latent = VARIANTS[variant].get("latent", 100)
    return {"noise": ShapeDtypeStruct((2, latent), jnp.float32)}
