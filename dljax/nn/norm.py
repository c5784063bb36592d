"""BatchNorm (Ioffe & Szegedy 2015, arXiv:1502.03167) and InstanceNorm (Ulyanov et al. 2016, arXiv:1607.08022)."""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from dljax import axes


def batch_norm(*, train: bool, **options) -> nn.BatchNorm:
    """``nn.BatchNorm`` over the global batch, also where the step runs per device.

    By default the moving averages keep 0.9 of their past, as in torchvision.

    Args:
        train: normalize by the batch and move the averages, else normalize by the averages.
        options: of ``nn.BatchNorm``.
    """
    return nn.BatchNorm(
        use_running_average=not train,
        axis_name=axes.per_device(),
        **{"momentum": 0.9, "epsilon": 1e-5, **options},
    )


def near_one(key: Array, shape: Sequence[int], dtype: Any = jnp.float32) -> Array:
    """The scales' draws from N(1, 0.02^2), in generators and discriminators since DCGAN's code."""
    return 1.0 + 0.02 * jax.random.normal(key, shape, dtype)


def instance_norm(x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    """(x - mean) / sqrt(variance + 1e-5) of each image's channel over its pixels; nothing is learned."""
    exact = x.astype(jnp.float32)  # sums over all pixels, also of half precision
    centered = exact - jnp.mean(exact, axis=(1, 2), keepdims=True)
    variance = jnp.mean(centered**2, axis=(1, 2), keepdims=True)
    return (centered * lax.rsqrt(variance + 1e-5)).astype(x.dtype)
