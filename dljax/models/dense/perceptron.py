"""Perceptron. Rosenblatt 1958, The Perceptron: a Probabilistic Model for Information Storage and
Organization in the Brain, doi:10.1037/h0042519.

    y = step(w0 + w . x)
"""

import flax.linen as nn
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float


def step(z: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """1 where z > 0, else 0."""
    return (z > 0).astype(z.dtype)


class Perceptron(nn.Module):
    """One unit with a step activation, on a flattened input; starts at zero."""

    inputs: int

    def setup(self):
        self.weight = self.param("weight", nn.initializers.zeros, (self.inputs,))
        self.bias = self.param("bias", nn.initializers.zeros, ())

    def weighted_sum(self, image: Float[Array, "b *d"]) -> Float[Array, "b"]:
        """The pre-activation w0 + w . x."""
        x = jnp.reshape(image, (image.shape[0], -1))
        return x @ self.weight.astype(x.dtype) + self.bias.astype(x.dtype)

    def __call__(self, image: Float[Array, "b *d"], *, train: bool) -> Float[Array, "b"]:
        del train
        return step(self.weighted_sum(image))


MODEL = Perceptron
VARIANTS: dict[str, dict] = {"tiny": {"inputs": 2}, "64": {"inputs": 64}, "784": {"inputs": 784}}
GRADIENT_FREE = "a step's derivative is 0 almost everywhere: Rosenblatt's rule trains it"
PUBLISHED = {"tiny": 3, "64": 65, "784": 785}  # one weight per input, and w0


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two flat images."""
    return {"image": ShapeDtypeStruct((2, VARIANTS[variant]["inputs"]), jnp.float32)}
