"""PReLU. He et al. 2015, Delving Deep into Rectifiers, arXiv:1502.01852, equation 1."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float


class PReLU(nn.Module):
    """x where it is above 0, else ``alpha`` x; alpha is learned, and 0.25 at first.

    Attributes:
        slopes: number of alphas: 1, or one for each channel.
    """

    slopes: int = 1

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        alpha = self.param("alpha", nn.initializers.constant(0.25), (self.slopes,))
        return jnp.where(x >= 0, x, alpha.astype(x.dtype)[None, None, None] * x)
