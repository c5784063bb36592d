"""Blocks of diffusion's networks: a residual block that may be told a time, and attention among places.
Ho et al. 2020, arXiv:2006.11239, appendix B.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dljax.nn.conv import Conv
from dljax.nn.dense import dense
from dljax.nn.dropout import Dropout


class NormedResidual(nn.Module):
    """Two 3x3 convolutions, each after GroupNorm and SiLU; a time's embedding is added between.

    Attributes:
        features: output channels.
        groups: of GroupNorm.
        kernel_init: of all kernels but the last one's.
        end_init: of the last convolution, where the residual branch ends.
    """

    features: int
    groups: int
    kernel_init: nn.initializers.Initializer
    end_init: nn.initializers.Initializer
    dropout: float = 0.0
    epsilon: float = 1e-6

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], time: Float[Array, "b d"] | None = None, *, train: bool
    ) -> Float[Array, "b h w features"]:
        def normed(name: str, y: Array) -> Array:
            return jax.nn.silu(nn.GroupNorm(self.groups, epsilon=self.epsilon, name=name)(y))

        init = self.kernel_init
        h = Conv(self.features, (3, 3), kernel_init=init, name="conv1")(normed("norm1", x))
        if time is not None:
            shift = nn.Dense(self.features, kernel_init=init, name="time")(jax.nn.silu(time))
            h = h + shift[:, None, None, :]
        h = Dropout(self.dropout, name="dropout")(normed("norm2", h), train=train)
        h = Conv(self.features, (3, 3), kernel_init=self.end_init, name="conv2")(h)
        if x.shape[-1] != self.features:
            x = Conv(self.features, (1, 1), kernel_init=init, name="shortcut")(x)
        return x + h


class PlaceAttention(nn.Module):
    """Attention of every place to every place, one head, added to its input.

    Attributes:
        groups: of GroupNorm.
        kernel_init: of queries, keys and values.
        end_init: of the output, where the residual branch ends.
    """

    groups: int
    kernel_init: nn.initializers.Initializer
    end_init: nn.initializers.Initializer

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        b, h, w, c = x.shape
        normed = jnp.reshape(nn.GroupNorm(self.groups, name="norm")(x), (b, h * w, c))
        query, key, value = (
            dense(c, kernel_init=self.kernel_init, name=name)(normed)
            for name in ("query", "key", "value")
        )
        scores = jnp.einsum("bqc,bkc->bqk", query, key) / math.sqrt(c)
        weights = jax.nn.softmax(scores.astype(jnp.float32)).astype(x.dtype)
        mixed = jnp.einsum("bqk,bkc->bqc", weights, value)
        out = dense(c, kernel_init=self.end_init, name="output")(mixed)
        return x + jnp.reshape(out, x.shape)
