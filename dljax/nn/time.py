"""Embeddings of a time: sines and cosines, and two layers on them."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def cosines_first(time: Int[Array, " b"], features: int) -> Float[Array, "b d"]:
    """(cos, sin) of time / 10000 ** (i / (features / 2)), as openai/improved-diffusion has it.

    DDPM has sines first, and another last frequency.
    """
    half = features // 2
    frequency = jnp.exp(-math.log(10_000) / half * jnp.arange(half, dtype=jnp.float32))
    angle = time.astype(jnp.float32)[:, None] * frequency[None, :]
    return jnp.concatenate([jnp.cos(angle), jnp.sin(angle)], axis=-1)


def two_layers(
    embedding: Float[Array, "b d"], features: int, kernel_init: nn.initializers.Initializer
) -> Float[Array, "b features"]:
    """Two layers on a time's embedding, of which every block is told. Called in a network's scope, where they
    are "time1" and "time2".
    """
    x = nn.Dense(features, kernel_init=kernel_init, name="time1")(embedding)
    return nn.Dense(features, kernel_init=kernel_init, name="time2")(jax.nn.silu(x))
