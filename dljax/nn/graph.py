"""Sums over a graph's edges, two arrays of node numbers: ``senders`` and ``receivers``.

In packs of small graphs all arrays have a leading axis of packs, whose numbers are their own.
"""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dljax import axes


def with_self_loops(
    senders: Int[Array, "e"], receivers: Int[Array, "e"], nodes: int
) -> tuple[Int[Array, "m"], Int[Array, "m"]]:
    """Edges, followed by one from each node to itself."""
    own = jnp.arange(nodes, dtype=senders.dtype)
    return jnp.concatenate([senders, own]), jnp.concatenate([receivers, own])


def sum_at(
    values: Float[Array, "e *rest"], receivers: Int[Array, "e"], nodes: int
) -> Float[Array, "n *rest"]:
    """Sum of each node's incoming edges' values; zero where there are none."""
    return jax.ops.segment_sum(values, receivers, nodes)


def mean_at(
    values: Float[Array, "e *rest"], receivers: Int[Array, "e"], nodes: int
) -> Float[Array, "n *rest"]:
    """Mean of each node's incoming edges' values; zero where there are none."""
    count = sum_at(jnp.ones(len(receivers), values.dtype), receivers, nodes)
    total = sum_at(values, receivers, nodes)
    return total / jnp.maximum(count, 1).reshape(-1, *[1] * (total.ndim - 1))


def softmax_at(
    scores: Float[Array, "e k"], receivers: Int[Array, "e"], nodes: int
) -> Float[Array, "e k"]:
    """Softmax over the incoming edges of each node, in float32."""
    scores = scores.astype(jnp.float32)
    # The shift cancels out, so no gradient need pass through it.
    top = jax.lax.stop_gradient(jax.ops.segment_max(scores, receivers, nodes))
    weight = jnp.exp(scores - top[receivers])
    return weight / sum_at(weight, receivers, nodes)[receivers]


def take(x: Float[Array, "b n *rest"], at: Int[Array, "b e"]) -> Float[Array, "b e *rest"]:
    """Values of these nodes, in each pack."""
    return jax.vmap(lambda x, at: x[at])(x, at)


def sums_at(
    values: Float[Array, "b e *rest"], receivers: Int[Array, "b e"], nodes: int
) -> Float[Array, "b n *rest"]:
    """``sum_at`` in each pack."""
    return jax.vmap(partial(sum_at, nodes=nodes))(values, receivers)


class NodeNorm(nn.Module):
    """BatchNorm over the nodes that count of all packs. Ioffe & Szegedy 2015, arXiv:1502.03167.

    Flax's own with a mask is a mean of devices' means, though one may have fewer nodes than another.
    Its variables have the names of ``nn.BatchNorm``'s.
    """

    momentum: float = 0.9
    epsilon: float = 1e-5

    @nn.compact
    def __call__(
        self, x: Float[Array, "b n d"], node_mask: Float[Array, "b n"], *, train: bool
    ) -> Float[Array, "b n d"]:
        d = (x.shape[-1],)
        scale = self.param("scale", nn.initializers.ones, d)
        bias = self.param("bias", nn.initializers.zeros, d)
        mean = self.variable("batch_stats", "mean", jnp.zeros, d)
        variance = self.variable("batch_stats", "var", jnp.ones, d)
        exact = x.astype(jnp.float32)
        if train:
            counted = (node_mask > 0).astype(jnp.float32)
            count = jnp.maximum(axes.total(jnp.sum(counted)), 1.0)

            def average(values: Array) -> Array:
                return axes.total(jnp.einsum("bnd,bn->d", values, counted)) / count

            center = average(exact)
            width = average((exact - center[None, None]) ** 2)
            if not self.is_initializing():
                for kept, new in ((mean, center), (variance, width)):
                    kept.value = self.momentum * kept.value + (1 - self.momentum) * new
        else:
            center, width = mean.value, variance.value
        factor = jax.lax.rsqrt(width + self.epsilon) * scale.astype(jnp.float32)
        out = (exact - center[None, None]) * factor[None, None] + bias.astype(jnp.float32)[
            None, None
        ]
        return out.astype(x.dtype)
