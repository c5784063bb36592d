"""GCN. Kipf & Welling 2017, Semi-Supervised Classification with Graph Convolutional Networks,
arXiv:1609.02907, equation 9.

    Z = softmax(A' ReLU(A' X W0) W1),   A' = D^-1/2 (A + I) D^-1/2
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float, Int

from dljax.nn import Dropout
from dljax.nn.graph import sum_at, with_self_loops


class GraphConvolution(nn.Module):
    """``A' x W + b``, with A' given as edges and their weights."""

    features: int

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "n d"],
        senders: Int[Array, "e"],
        receivers: Int[Array, "e"],
        weight: Float[Array, "e"],
    ) -> Float[Array, "n features"]:
        init = nn.initializers.xavier_uniform()
        kernel = self.param("kernel", init, (x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        x = x @ kernel.astype(x.dtype)
        x = sum_at(weight[:, None].astype(x.dtype) * x[senders], receivers, x.shape[0])
        return x + bias.astype(x.dtype)[None]


class GCN(nn.Module):
    """Two graph convolutions; dropout before each.

    The authors' program leaves the biases out; the paper's 16-7 network is counted with them here,
    as PyG does.
    """

    classes: int = 7
    hidden: int = 16
    dropout: float = 0.5

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
        senders, receivers = with_self_loops(senders, receivers, n)
        degree = sum_at(jnp.ones(receivers.shape, jnp.float32), receivers, n)
        weight = jax.lax.rsqrt(degree[senders] * degree[receivers])
        edges = (senders, receivers, weight)
        x = Dropout(self.dropout, name="dropout0")(node, train=train)
        x = jax.nn.relu(GraphConvolution(self.hidden, name="conv0")(x, *edges))
        x = Dropout(self.dropout, name="dropout1")(x, train=train)
        return GraphConvolution(self.classes, name="conv1")(x, *edges)


MODEL = GCN
VARIANTS: dict[str, dict] = {
    "tiny": {"hidden": 4},
    "cora": {},
    "citeseer": {"classes": 6},
    "digits": {"classes": 10, "hidden": 64},
    "links": {"classes": 64, "hidden": 128, "dropout": 0.0},  # PyG's link_pred: vectors of nodes
}
PUBLISHED = {"cora": 23_063, "links": 191_808}  # trainable, with biases: 1433-16-7, 1433-128-64


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """A graph of (nodes, features, directed edges)."""
    n, d, e = {
        "tiny": (6, 8, 10),
        "cora": (2708, 1433, 10_556),
        "citeseer": (3327, 3703, 9_104),
        "digits": (1797, 64, 12_618),
        "links": (2708, 1433, 8_976),
    }[variant]
    return {
        "node": ShapeDtypeStruct((n, d), jnp.float32),
        "senders": ShapeDtypeStruct((e,), jnp.int32),
        "receivers": ShapeDtypeStruct((e,), jnp.int32),
    }
