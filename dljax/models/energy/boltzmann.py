"""Boltzmann machine. Ackley, Hinton & Sejnowski 1985, A Learning Algorithm for Boltzmann Machines,
doi:10.1207/s15516709cog0901_7.

    E(s) = -sum_{i<j} W_ij s_i s_j - sum_i b_i s_i,   s_i in {0, 1},   p(s) = exp(-E(s)) / Z

The first units are visible: two groups that see the same thing, in the encoder problem (section 4), and have no
connection but through the hidden units.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float


def states(units: int) -> np.ndarray:
    """All 2^units states, float32 [2^units, units]."""
    number = np.arange(2**units)[:, None]
    return ((number >> np.arange(units)) & 1).astype(np.float32)


class Boltzmann(nn.Module):
    """Two groups of visible units, and hidden ones; few enough to enumerate their states.

    Attributes:
        group: units in each of the two visible groups.
        hidden: number of hidden units.
    """

    group: int = 4
    hidden: int = 2

    @property
    def units(self) -> int:
        """Number of all units, d; the visible ones come first."""
        return 2 * self.group + self.hidden

    def setup(self):
        d = self.units
        self.weight = self.param("weight", nn.initializers.zeros, (d, d))
        self.bias = self.param("bias", nn.initializers.zeros, (d,))

    def connected(self) -> np.ndarray:
        """1 where two units are connected, float32 [d, d]: all, but with themselves or the other group."""
        of = np.repeat([0, 1, 2], [self.group, self.group, self.hidden])
        apart = of[:, None] + of[None] == 1
        return (~apart & ~np.eye(self.units, dtype=bool)).astype(np.float32)

    def pairs(self) -> Float[Array, "d d"]:
        """The weights in use: symmetric, 0 where there is no connection."""
        return (self.weight + self.weight.T) / 2 * self.connected().astype(self.weight.dtype)

    def energy(self, s: Float[Array, "b d"]) -> Float[Array, "b"]:
        """E(s), each pair of units counted once."""
        field = s @ self.pairs().astype(s.dtype)
        return -0.5 * jnp.sum(s * field, -1) - s @ self.bias.astype(s.dtype)

    def every(self) -> np.ndarray:
        """All states of all units, float32 [2^d, d]."""
        return states(self.units)

    def completed(self, image: Float[Array, "b v"]) -> Float[Array, "b m d"]:
        """The states of all units in which the visible ones are as given: one for each of the hidden ones'."""
        hidden = jnp.asarray(states(self.hidden), image.dtype)
        m = len(hidden)
        visible = jnp.repeat(image[:, None], m, 1)
        return jnp.concatenate([visible, jnp.repeat(hidden[None], len(image), 0)], -1)

    def __call__(self, image: Float[Array, "b v"], *, train: bool) -> Float[Array, "b"]:
        """The free energy of a visible state: -log sum_h exp(-E(v, h))."""
        del train
        found = self.completed(image)
        energy = self.energy(jnp.reshape(found, (-1, self.units)))
        return -jax.nn.logsumexp(-jnp.reshape(energy, found.shape[:2]), axis=-1)


MODEL = Boltzmann
VARIANTS: dict[str, dict] = {"tiny": {"group": 2, "hidden": 1}, "4-2-4": {}}
# A symmetric matrix stored whole, and biases: 29 weights of the encoder's 100 are free, 6 of the tiny one's 25.
PUBLISHED = {"tiny": 30, "4-2-4": 110}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two states of the visible units."""
    visible = 2 * VARIANTS[variant].get("group", 4)
    return {"image": ShapeDtypeStruct((2, visible), jnp.float32)}
