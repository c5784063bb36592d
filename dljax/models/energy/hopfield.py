"""Hopfield net. Hopfield 1982, Neural networks and physical systems with emergent collective computational
abilities, doi:10.1073/pnas.79.8.2554.

    E(s) = -1/2 s . W s,   s_i <- sign(h_i),   h = W s,   s_i in {-1, 1}

with W symmetric and W_ii = 0, so that no change of one unit raises the energy. The units change in the
order of their numbers, where Hopfield's do at random times: E falls in any order, as long as it is one by one.
"""

import flax.linen as nn
import jax.numpy as jnp
from jax import ShapeDtypeStruct, lax
from jaxtyping import Array, Float


class Hopfield(nn.Module):
    """Units that are all connected, flattened from images; no pattern is stored at the start.

    Attributes:
        units: their number, d.
        sweeps: most times that every unit is asked.
    """

    units: int
    sweeps: int = 30

    def setup(self):
        self.weight = self.param("weight", nn.initializers.zeros, (self.units, self.units))

    def field(self, image: Float[Array, "b *d"]) -> Float[Array, "b d"]:
        """The input h of every unit."""
        s = jnp.reshape(image, (image.shape[0], -1))
        return s @ self.weight.astype(s.dtype).T

    def energy(self, image: Float[Array, "b *d"]) -> Float[Array, "b"]:
        """E(s), each pair of units counted once."""
        s = jnp.reshape(image, (image.shape[0], -1))
        return -0.5 * jnp.sum(s * self.field(s), axis=-1)

    def sweep(self, image: Float[Array, "b *d"]) -> Float[Array, "b *d"]:
        """Ask every unit once, one after the other; one without input (h = 0) stays as it is."""
        s = jnp.reshape(image, (image.shape[0], -1)).T
        weight = lax.stop_gradient(self.weight).astype(s.dtype)

        def ask(i, s):
            h = weight[i] @ s
            return s.at[i].set(jnp.where(h == 0, s[i], jnp.sign(h)))

        return jnp.reshape(lax.fori_loop(0, self.units, ask, s).T, image.shape)

    def __call__(self, image: Float[Array, "b *d"], *, train: bool) -> Float[Array, "b *d"]:
        """The state where the net comes to rest, from the state ``image``; ``sweeps`` at most."""
        del train

        def moving(at):
            count, before, now = at
            return (count < self.sweeps) & jnp.any(before != now)

        def once(at):
            count, _, now = at
            return count + 1, now, self.sweep(now)

        image = lax.stop_gradient(image)
        return lax.while_loop(moving, once, (1, image, self.sweep(image)))[2]


MODEL = Hopfield
VARIANTS: dict[str, dict] = {
    "tiny": {"units": 16, "sweeps": 3},
    "784": {"units": 784},
    "1000": {"units": 1000},
}
GRADIENT_FREE = "a unit's sign is flat: Hebb's rule stores the patterns"
PUBLISHED = {"tiny": 256, "784": 614_656, "1000": 1_000_000}  # d^2, of which d (d - 1) / 2 are free


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two flat states."""
    return {"image": ShapeDtypeStruct((2, VARIANTS[variant]["units"]), jnp.float32)}
