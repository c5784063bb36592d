"""GAT. Velickovic et al. 2018, Graph Attention Networks, arXiv:1710.10903, section 3.3 (Cora).

a_ij = softmax over the neighbors j of i:  LeakyReLU(p_target . W h_i + p_source . W h_j)
h_i' = sum over j:  a_ij W h_j
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float, Int

from dljax.nn import Dropout
from dljax.nn.graph import softmax_at, sum_at, with_self_loops


class GraphAttention(nn.Module):
    """``heads`` attentions of ``features`` each. The edges hold the self-loops already."""

    features: int
    heads: int
    dropout: float
    slope: float = 0.2  # of the LeakyReLU

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "n d"],
        senders: Int[Array, "e"],
        receivers: Int[Array, "e"],
        *,
        train: bool,
    ) -> Float[Array, "n k features"]:
        glorot, shape = nn.initializers.xavier_uniform(), (self.heads, self.features)
        kernel = self.param("kernel", glorot, (x.shape[-1], self.heads * self.features))
        # The paper's vector a, in its two halves.
        source = self.param("source", glorot, shape)
        target = self.param("target", glorot, shape)
        bias = self.param("bias", nn.initializers.zeros, shape)
        n = x.shape[0]
        h = (x @ kernel.astype(x.dtype)).reshape(n, *shape)
        from_source = jnp.sum(h * source.astype(h.dtype)[None], -1)
        from_target = jnp.sum(h * target.astype(h.dtype)[None], -1)
        scores = jax.nn.leaky_relu(from_source[senders] + from_target[receivers], self.slope)
        attention = softmax_at(scores, receivers, n).astype(h.dtype)
        attention = Dropout(self.dropout, name="dropout")(attention, train=train)
        h = sum_at(attention[:, :, None] * h[senders], receivers, n)
        return h + bias.astype(h.dtype)[None]


class GAT(nn.Module):
    """Attention, ELU, attention; the heads joined within and averaged at the end. Dropout is on
    each layer's input and on its normalized attention.
    """

    classes: int = 7
    features: int = 8
    heads: int = 8
    output_heads: int = 1
    dropout: float = 0.6

    @nn.compact
    def __call__(
        self,
        node: Float[Array, "n d"],
        senders: Int[Array, "e"],
        receivers: Int[Array, "e"],
        *,
        train: bool,
    ) -> Float[Array, "n classes"]:
        n = node.shape[0]
        edges = with_self_loops(senders, receivers, n)
        x = Dropout(self.dropout, name="dropout0")(node, train=train)
        x = GraphAttention(self.features, self.heads, self.dropout, name="attention0")(
            x, *edges, train=train
        )
        x = jax.nn.elu(x).reshape(n, -1)
        x = Dropout(self.dropout, name="dropout1")(x, train=train)
        x = GraphAttention(self.classes, self.output_heads, self.dropout, name="attention1")(
            x, *edges, train=train
        )
        # One bias after the average over heads is the same as the average of one per head; with
        # one output head, as for Cora, the counts agree as well.
        return jnp.mean(x, 1)


MODEL = GAT
VARIANTS: dict[str, dict] = {
    "tiny": {"features": 4, "heads": 2, "dropout": 0.2},
    "cora": {},
    "citeseer": {"classes": 6},
    "digits": {"classes": 10},
}
PUBLISHED = {"cora": 92_373}  # trainable, with biases: 8 heads of 8, one output head


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """A graph of (nodes, features, directed edges)."""
    n, d, e = {
        "tiny": (6, 8, 10),
        "cora": (2708, 1433, 10_556),
        "citeseer": (3327, 3703, 9_104),
        "digits": (1797, 64, 12_618),
    }[variant]
    return {
        "node": ShapeDtypeStruct((n, d), jnp.float32),
        "senders": ShapeDtypeStruct((e,), jnp.int32),
        "receivers": ShapeDtypeStruct((e,), jnp.int32),
    }
