"""A convolutional VAE. Kingma & Welling 2014, arXiv:1312.6114, with the layers of Keras' example
"Convolutional VAE in Keras" (Chollet 2020): two convolutions of stride 2 and as many transposed.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Conv, ConvTranspose, draw


class Encoder(nn.Module):
    """q(z | x): mean and log variance of a diagonal Gaussian."""

    latents: int
    widths: tuple[int, int]
    hidden: int

    @nn.compact
    def __call__(
        self, image: Float[Array, "b h w c"]
    ) -> tuple[Float[Array, "b z"], Float[Array, "b z"]]:
        x = image
        for i, width in enumerate(self.widths):
            x = jax.nn.relu(Conv(width, (3, 3), (2, 2), name=f"conv{i}")(x))
        x = jnp.reshape(x, (image.shape[0], -1))
        x = jax.nn.relu(nn.Dense(self.hidden, name="hidden")(x))
        return nn.Dense(self.latents, name="mean")(x), nn.Dense(self.latents, name="log_var")(x)


class Decoder(nn.Module):
    """p(x | z): the logit of each pixel's Bernoulli."""

    shape: tuple[int, int, int]
    widths: tuple[int, int]

    @nn.compact
    def __call__(self, z: Float[Array, "b z"]) -> Float[Array, "b h w c"]:
        h, w, c = self.shape
        first = (z.shape[0], h // 4, w // 4, self.widths[-1])
        x = jax.nn.relu(nn.Dense(first[1] * first[2] * first[3], name="hidden")(z))
        x = jnp.reshape(x, first)
        for i, width in enumerate(reversed(self.widths)):
            x = jax.nn.relu(ConvTranspose(width, (3, 3), 2, name=f"up{i}")(x))
        return Conv(c, (3, 3), name="logits")(x)  # as a transposed one, of stride 1, there


class ConvVAE(nn.Module):
    """Encoder and decoder, with a draw of z between them in training, else its mean.

    Attributes:
        latents: length of z.
        widths: channels of the two convolutions.
        hidden: units between them and z.
        shape: of an image, h and w multiples of 4.
    """

    latents: int = 2
    widths: tuple[int, int] = (32, 64)
    hidden: int = 16
    shape: tuple[int, int, int] = (28, 28, 1)

    def setup(self):
        self.encoder = Encoder(self.latents, self.widths, self.hidden)
        self.decoder = Decoder(self.shape, self.widths)

    def __call__(
        self, image: Float[Array, "b h w c"], *, train: bool
    ) -> tuple[Float[Array, "b h w c"], Float[Array, "b z"], Float[Array, "b z"]]:
        """Return (logits of the pixels, mean, log variance)."""
        mean, log_var = self.encoder(image)
        return self.decoder(draw(self, mean, log_var) if train else mean), mean, log_var

    def decode(self, z: Float[Array, "b z"]) -> Float[Array, "b h w c"]:
        return self.decoder(z)


MODEL = ConvVAE
VARIANTS: dict[str, dict] = {
    "tiny": {"widths": (2, 4), "hidden": 8, "shape": (8, 8, 1)},
    "2": {},
}
PUBLISHED = {"2": 134_165}  # encoder 69,076 and decoder 65,089, with biases


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two gray images, of 8x8 pixels for "tiny", else 28x28."""
    side = 8 if variant == "tiny" else 28
    return {"image": ShapeDtypeStruct((2, side, side, 1), jnp.float32)}
