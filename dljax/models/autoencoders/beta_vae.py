"""beta-VAE. Higgins et al. 2017, Learning Basic Visual Concepts with a Constrained Variational Framework
(ICLR), appendix A.1; Burgess et al. 2018, arXiv:1804.03599, appendix A, for the variants "B".

Layers are those of 1Konny's implementation; the weight beta is the task's
(``dljax.tasks.reconstruction.variational``).
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Conv, ConvTranspose, draw


class Encoder(nn.Module):
    """q(z | x): mean and log variance of a diagonal Gaussian."""

    latents: int
    widths: tuple[int, ...]
    hidden: tuple[int, ...]

    @nn.compact
    def __call__(
        self, image: Float[Array, "b h w c"]
    ) -> tuple[Float[Array, "b z"], Float[Array, "b z"]]:
        x = image
        for i, width in enumerate(self.widths):
            x = jax.nn.relu(Conv(width, (4, 4), (2, 2), padding=1, name=f"conv{i}")(x))
        x = jnp.reshape(x, (image.shape[0], -1))
        for i, units in enumerate(self.hidden):
            x = jax.nn.relu(nn.Dense(units, name=f"hidden{i}")(x))
        mean, log_var = jnp.split(nn.Dense(2 * self.latents, name="posterior")(x), 2, axis=-1)
        return mean, log_var


class Decoder(nn.Module):
    """p(x | z): the logit of each pixel's Bernoulli.

    Attributes:
        shared: each channel of the first map has one bias, as a transposed convolution has; else each
            place of each channel has its own, as a linear layer has.
    """

    shape: tuple[int, int, int]
    widths: tuple[int, ...]
    hidden: tuple[int, ...]
    shared: bool

    @nn.compact
    def __call__(self, z: Float[Array, "b z"]) -> Float[Array, "b h w c"]:
        x = z
        for i, units in enumerate(reversed(self.hidden)):
            x = jax.nn.relu(nn.Dense(units, name=f"hidden{i}")(x))
        h, w = (side >> len(self.widths) for side in self.shape[:2])
        if self.shared:
            first = ConvTranspose(self.widths[-1], (h, w), 1, "VALID", name="first")
            x = first(x[:, None, None])
        else:
            x = nn.Dense(h * w * self.widths[-1], name="first")(x)
            x = jnp.reshape(x, (z.shape[0], h, w, self.widths[-1]))
        for i, width in enumerate((*reversed(self.widths[:-1]), self.shape[-1])):
            x = ConvTranspose(width, (4, 4), 2, name=f"up{i}")(jax.nn.relu(x))
        return x


class BetaVAE(nn.Module):
    """Encoder and decoder, with a draw of z between them in training, else its mean.

    Attributes:
        latents: length of z.
        widths: channels of the convolutions, of which each halves the sides.
        hidden: units of the layers between them and z.
        shared: of ``Decoder``.
        shape: of an image.
    """

    latents: int = 10
    widths: tuple[int, ...] = (32, 32, 64, 64)
    hidden: tuple[int, ...] = (256,)
    shared: bool = True
    shape: tuple[int, int, int] = (64, 64, 1)

    def setup(self):
        self.encoder = Encoder(self.latents, self.widths, self.hidden)
        self.decoder = Decoder(self.shape, self.widths, self.hidden, self.shared)

    def __call__(
        self, image: Float[Array, "b h w c"], *, train: bool
    ) -> tuple[Float[Array, "b h w c"], Float[Array, "b z"], Float[Array, "b z"]]:
        """Return (logits of the pixels, mean, log variance)."""
        mean, log_var = self.encoder(image)
        return self.decoder(draw(self, mean, log_var) if train else mean), mean, log_var

    def decode(self, z: Float[Array, "b z"]) -> Float[Array, "b h w c"]:
        return self.decoder(z)


_BURGESS: dict[str, Any] = {"widths": (32, 32, 32, 32), "hidden": (256, 256), "shared": False}
_COLOR: dict[str, Any] = {"shape": (64, 64, 3)}

MODEL = BetaVAE
VARIANTS: dict[str, dict] = {
    "tiny": {"latents": 3, "widths": (4, 4), "hidden": (8,), "shape": (16, 16, 1)},
    "32": {"widths": (16, 32, 32), "hidden": (128,), "shape": (32, 32, 1)},
    "H": {},
    "H-color": _COLOR,
    "B": _BURGESS,
    "B-color": {**_BURGESS, **_COLOR},
}
PUBLISHED = {"H": 763_285, "H-color": 765_335, "B": 502_005, "B-color": 504_055}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two images of the variant's shape."""
    shape = VARIANTS[variant].get("shape", (64, 64, 1))
    return {"image": ShapeDtypeStruct((2, *shape), jnp.float32)}
