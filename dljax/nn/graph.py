"""Sums over a graph's edges, two arrays of node numbers: ``senders`` and ``receivers``."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


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


def softmax_at(
    scores: Float[Array, "e k"], receivers: Int[Array, "e"], nodes: int
) -> Float[Array, "e k"]:
    """Softmax over the incoming edges of each node, in float32."""
    scores = scores.astype(jnp.float32)
    # The shift cancels out, so no gradient need pass through it.
    top = jax.lax.stop_gradient(jax.ops.segment_max(scores, receivers, nodes))
    weight = jnp.exp(scores - top[receivers])
    return weight / sum_at(weight, receivers, nodes)[receivers]
