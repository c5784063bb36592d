"""Autoencoders of fully connected layers. Deep: Hinton & Salakhutdinov 2006, Reducing the Dimensionality of
Data with Neural Networks, doi:10.1126/science.1127647. Of one layer, with the decoder's matrix tied to the
encoder's: Vincent et al. 2008, Extracting and Composing Robust Features with Denoising Autoencoders,
doi:10.1145/1390156.1390294, section 2. k-sparse: Makhzani & Frey 2014, arXiv:1312.5663, section 2.1.

The deep one has 784-1000-500-250-30 units and the mirror image of them; ReLU where the paper has logistic
units, which it had to pre-train as Boltzmann machines. A task says what is minimized: plain, denoising,
sparse and contractive autoencoders are all of this file.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct, lax
from jaxtyping import Array, Float


def k_largest(x: Float[Array, "b z"], k: int) -> Float[Array, "b z"]:
    """The k largest values of each row, exactly k (of equal ones the first); all others become 0.

    The gradient goes through the kept ones alone. The paper lets more of them through in use than in
    training: build the same variant with ``code=partial(k_largest, k=...)`` for that.
    """
    _, kept = lax.top_k(x, k)
    mask = jnp.put_along_axis(jnp.zeros(x.shape, bool), kept, True, axis=-1, inplace=False)
    return jnp.where(mask, x, jnp.zeros_like(x))


def linear(x: Float[Array, "b z"]) -> Float[Array, "b z"]:
    """The identity."""
    return x


class Transposed(nn.Module):
    """h W' + b, where W is another layer's kernel and b its own."""

    features: int

    @nn.compact
    def __call__(self, x: Float[Array, "b n"], kernel: Float[Array, "m n"]) -> Float[Array, "b m"]:
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        return x @ kernel.T.astype(x.dtype) + bias.astype(x.dtype)[None]


class Autoencoder(nn.Module):
    """Code and restored image: encoder layers, then the same widths backwards.

    Attributes:
        latents: length of the code.
        widths: of the encoder's layers before the code.
        hidden: activation of these layers and of their mirror images.
        code: activation of the code.
        tied: the decoder's matrices are the encoder's, transposed.
        shape: of one example.
    """

    latents: int = 1000
    widths: tuple[int, ...] = ()
    hidden: Callable[[Array], Array] = jax.nn.relu
    code: Callable[[Array], Array] = jax.nn.sigmoid
    tied: bool = False
    shape: tuple[int, ...] = (28, 28, 1)

    def setup(self):
        glorot = nn.initializers.xavier_uniform()
        inner = (*self.widths, self.latents)
        outer = (math.prod(self.shape), *self.widths)[::-1]
        self.encoder = [nn.Dense(n, kernel_init=glorot) for n in inner]
        kind: Any = Transposed if self.tied else partial(nn.Dense, kernel_init=glorot)
        self.decoder = [kind(n) for n in outer]

    def encode(self, image: Float[Array, "b ..."]) -> Float[Array, "b z"]:
        """The codes of examples."""
        x = jnp.reshape(image, (image.shape[0], -1))
        for layer in self.encoder[:-1]:
            x = self.hidden(layer(x))
        return self.code(self.encoder[-1](x))

    def decode(self, z: Float[Array, "b z"]) -> Float[Array, "b ..."]:
        """The examples of codes, before the output's activation, which the task knows."""
        x = z
        for i, (layer, mirror) in enumerate(zip(self.decoder, self.encoder[::-1], strict=True)):
            x = self.hidden(x) if i else x
            x = layer(x, mirror.variables["params"]["kernel"]) if self.tied else layer(x)
        return jnp.reshape(x, (z.shape[0], *self.shape))

    def __call__(
        self, image: Float[Array, "b ..."], *, train: bool
    ) -> tuple[Float[Array, "b ..."], Float[Array, "b z"]]:
        """Return (output before its activation, of the image's shape; code)."""
        del train
        z = self.encode(image)
        return self.decode(z), z


MODEL = Autoencoder
_DEEP = {"latents": 30, "widths": (1000, 500, 250), "code": linear}
VARIANTS: dict[str, dict] = {
    "tiny": {"latents": 3, "widths": (8,)},
    "plain": {},
    "tied": {"tied": True},
    "k-sparse": {"tied": True, "code": partial(k_largest, k=25)},
    "deep": _DEEP,
    "deep-tied": {**_DEEP, "tied": True},
}
# Weights and biases; a tied pair of layers has one matrix and two biases.
PUBLISHED = {"plain": 1_569_784, "tied": 785_784, "k-sparse": 785_784, "deep": 2_837_314}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two gray images of 28x28 pixels."""
    return {"image": ShapeDtypeStruct((2, 28, 28, 1), jnp.float32)}
