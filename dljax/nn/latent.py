"""A draw of a variational autoencoder's latents."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from dljax import axes


def draw(
    module: nn.Module, mean: Float[Array, "b *z"], log_var: Float[Array, "b *z"]
) -> Float[Array, "b *z"]:
    """mean + exp(log_var / 2) eps, with eps from the module's stream "noise": Kingma & Welling 2014,
    arXiv:1312.6114, section 2.4.
    """
    eps = axes.normal(module.make_rng("noise"), mean.shape).astype(mean.dtype)
    return mean + jnp.exp(0.5 * log_var) * eps
