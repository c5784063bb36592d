"""Extreme learning machine. Huang, Zhu & Siew 2006, Extreme learning machine: Theory and applications,
doi:10.1016/j.neucom.2005.12.126.

    y = beta . tanh(A x + b)

with A and b drawn and left as they are. A is of a deviation of 3 / sqrt(inputs), so that units saturate.
"""

import flax.linen as nn
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float


class ELM(nn.Module):
    """One hidden layer of random weights on flattened images, and a readout that starts at zero."""

    inputs: int = 784
    hidden: int = 1000
    classes: int = 10
    scale: float = 3.0

    def setup(self):
        drawn = nn.initializers.normal(self.scale / self.inputs**0.5)
        self.kernel = self.param("kernel", drawn, (self.inputs, self.hidden))
        self.bias = self.param("bias", nn.initializers.normal(1.0), (self.hidden,))
        self.readout = self.param("readout", nn.initializers.zeros, (self.hidden, self.classes))

    def features(self, image: Float[Array, "b *d"]) -> Float[Array, "b h"]:
        """The hidden units."""
        x = jnp.reshape(image, (image.shape[0], -1))
        return jnp.tanh(x @ self.kernel.astype(x.dtype) + self.bias.astype(x.dtype)[None])

    def __call__(self, image: Float[Array, "b *d"], *, train: bool) -> Float[Array, "b classes"]:
        del train
        h = self.features(image)
        return h @ self.readout.astype(h.dtype)


MODEL = ELM
VARIANTS: dict[str, dict] = {
    "tiny": {"inputs": 64, "hidden": 16},
    "100": {"hidden": 100},
    "500": {"hidden": 500},
    "1000": {"hidden": 1000},
    "2000": {"hidden": 2000},
}
# (784 + 1 + 10) for each hidden unit, of which the 10 are learned.
PUBLISHED = {"tiny": 1200, "100": 79_500, "500": 397_500, "1000": 795_000, "2000": 1_590_000}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two flat images."""
    return {"image": ShapeDtypeStruct((2, VARIANTS[variant].get("inputs", 784)), jnp.float32)}
