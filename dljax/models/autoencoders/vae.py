"""VAE. Kingma & Welling 2014, Auto-Encoding Variational Bayes, arXiv:1312.6114, appendix C.

The layout 784-400-20 is that of the PyTorch and Flax examples: ReLU where the paper has tanh, and
20 latents.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import draw


class Encoder(nn.Module):
    """q(z | x): mean and log variance of a diagonal Gaussian."""

    latents: int
    hidden: int

    @nn.compact
    def __call__(
        self, image: Float[Array, "b h w c"]
    ) -> tuple[Float[Array, "b z"], Float[Array, "b z"]]:
        x = jnp.reshape(image, (image.shape[0], -1))
        x = jax.nn.relu(nn.Dense(self.hidden, name="hidden")(x))
        return nn.Dense(self.latents, name="mean")(x), nn.Dense(self.latents, name="log_var")(x)


class Decoder(nn.Module):
    """p(x | z): the logit of each pixel's Bernoulli."""

    shape: tuple[int, int, int]
    hidden: int

    @nn.compact
    def __call__(self, z: Float[Array, "b z"]) -> Float[Array, "b h w c"]:
        h, w, c = self.shape
        x = jax.nn.relu(nn.Dense(self.hidden, name="hidden")(z))
        return jnp.reshape(nn.Dense(h * w * c, name="logits")(x), (z.shape[0], h, w, c))


class VAE(nn.Module):
    """Encoder and decoder, with z = mean + exp(log_var / 2) eps between them in training, else the mean.

    eps is drawn from the stream "noise".
    """

    latents: int = 20
    hidden: int = 400
    shape: tuple[int, int, int] = (28, 28, 1)

    def setup(self):
        self.encoder = Encoder(self.latents, self.hidden)
        self.decoder = Decoder(self.shape, self.hidden)

    def __call__(
        self, image: Float[Array, "b h w c"], *, train: bool
    ) -> tuple[Float[Array, "b h w c"], Float[Array, "b z"], Float[Array, "b z"]]:
        """Return (logits of the pixels, mean, log variance)."""
        mean, log_var = self.encoder(image)
        z = draw(self, mean, log_var) if train else mean
        return self.decoder(z), mean, log_var

    def decode(self, z: Float[Array, "b z"]) -> Float[Array, "b h w c"]:
        return self.decoder(z)


MODEL = VAE
VARIANTS: dict[str, dict] = {
    "tiny": {"latents": 3, "hidden": 16},
    "20": {},
}
PUBLISHED = {"20": 652_824}  # 784-400-(20, 20) and 20-400-784, with biases


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two gray images of 28x28 pixels."""
    return {"image": ShapeDtypeStruct((2, 28, 28, 1), jnp.float32)}
