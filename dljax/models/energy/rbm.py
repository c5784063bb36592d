"""Restricted Boltzmann machine. Smolensky 1986, Harmony theory; Hinton 2002, Training Products of Experts by
Minimizing Contrastive Divergence, doi:10.1162/089976602760128018.

    E(v, h) = -b . v - c . h - v . W h,   v_i, h_j in {0, 1}
    p(h_j = 1 | v) = sigmoid(c + v W)_j,   p(v_i = 1 | h) = sigmoid(b + W h)_i
    p(v) = exp(-F(v)) / Z,   F(v) = -b . v - sum_j softplus(c + v W)_j

Weights begin as Hinton 2010, A Practical Guide to Training Restricted Boltzmann Machines, section 8, has it.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float


class RBM(nn.Module):
    """Visible units, the pixels of an image, and hidden ones; none is connected with its own kind."""

    visible: int = 784
    hidden: int = 500

    def setup(self):
        shape = (self.visible, self.hidden)
        self.weight = self.param("weight", nn.initializers.normal(0.01), shape)
        self.visible_bias = self.param("visible_bias", nn.initializers.zeros, shape[:1])
        self.hidden_bias = self.param("hidden_bias", nn.initializers.zeros, shape[1:])

    def given_visible(self, image: Float[Array, "b *v"]) -> Float[Array, "b h"]:
        """The logit of each hidden unit."""
        v = jnp.reshape(image, (image.shape[0], -1))
        return v @ self.weight.astype(v.dtype) + self.hidden_bias.astype(v.dtype)[None]

    def given_hidden(self, h: Float[Array, "b h"]) -> Float[Array, "b v"]:
        """The logit of each visible unit."""
        return h @ self.weight.astype(h.dtype).T + self.visible_bias.astype(h.dtype)[None]

    def __call__(self, image: Float[Array, "b *v"], *, train: bool) -> Float[Array, "b"]:
        """The free energy F(v)."""
        del train
        v = jnp.reshape(image, (image.shape[0], -1))
        seen = v @ self.visible_bias.astype(v.dtype)
        return -seen - jnp.sum(jax.nn.softplus(self.given_visible(v)), axis=-1)


MODEL = RBM
VARIANTS: dict[str, dict] = {
    "tiny": {"visible": 64, "hidden": 8},
    "20": {"hidden": 20},
    "500": {"hidden": 500},
}
PUBLISHED = {"tiny": 584, "20": 16_484, "500": 393_284}  # weights and both biases


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two flat images."""
    return {"image": ShapeDtypeStruct((2, VARIANTS[variant].get("visible", 784)), jnp.float32)}
