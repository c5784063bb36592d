"""Dropout. Srivastava et al. 2014, JMLR 15, inverted as everyone does."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from dljax import axes


class Dropout(nn.Module):
    """Zero each value with probability ``rate`` and scale the rest by 1 / (1 - rate).

    Flax's own layer draws a mask for the rows at hand; this one draws the rows of the global batch's
    mask (``axes.rows``), so the mask does not depend on the number of devices or microbatches.
    The first axis of ``x`` must be the examples. Needs the rng "dropout" where ``train``.
    """

    rate: float

    @nn.compact
    def __call__(self, x: Float[Array, "b *rest"], *, train: bool) -> Float[Array, "b *rest"]:
        if not train or self.rate == 0.0:
            return x
        keep = axes.keep_mask(self.make_rng("dropout"), self.rate, x.shape)
        return jnp.where(keep, x / (1.0 - self.rate), jnp.zeros_like(x))
