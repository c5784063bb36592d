"""Embeddings of a time, as sines and cosines."""

import math

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
