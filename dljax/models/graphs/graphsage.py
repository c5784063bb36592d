"""GraphSAGE. Hamilton et al. 2017, Inductive Representation Learning on Large Graphs, arXiv:1706.02216,
algorithm 1 with the mean aggregator.

    h_v' = W_own h_v + W_near mean over the neighbors u of v:  h_u,  + b

The paper multiplies the two joined by one matrix, which is the same.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float, Int

from dljax.nn import Dropout
from dljax.nn.graph import mean_at


class Sage(nn.Module):
    """A node's own part and its neighbors' mean, which is 0 where it has none."""

    features: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "n d"], senders: Int[Array, "e"], receivers: Int[Array, "e"]
    ) -> Float[Array, "n features"]:
        near = nn.Dense(self.features, name="near")(mean_at(x[senders], receivers, len(x)))
        return nn.Dense(self.features, use_bias=False, name="own")(x) + near


class GraphSAGE(nn.Module):
    """Two layers, with ReLU and dropout between.

    Edges are one list for both layers, or with a leading axis one for each, as neighbors are drawn anew.
    The authors scale each hidden vector to length 1; as PyG's and DGL's examples, this leaves it out.
    """

    classes: int = 7
    hidden: int = 16
    dropout: float = 0.5

    @nn.compact
    def __call__(
        self,
        node: Float[Array, "n d"],
        senders: Int[Array, "*layers e"],
        receivers: Int[Array, "*layers e"],
        *,
        train: bool,
    ) -> Float[Array, "n classes"]:
        if senders.ndim == 1:
            senders, receivers = (jnp.stack([x, x]) for x in (senders, receivers))
        x = Sage(self.hidden, name="sage0")(node, senders[0], receivers[0])
        x = Dropout(self.dropout, name="dropout")(jax.nn.relu(x), train=train)
        return Sage(self.classes, name="sage1")(x, senders[1], receivers[1])


MODEL = GraphSAGE
VARIANTS: dict[str, dict] = {
    "tiny": {"hidden": 8},
    "cora": {},
    "citeseer": {"classes": 6},
    "reddit": {"classes": 41, "hidden": 256},
    "digits": {"classes": 10, "hidden": 64},
}
PUBLISHED = {"cora": 46_103, "reddit": 329_513}  # trainable, 1433-16-7 and 602-256-41


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """A graph of (nodes, features, directed edges)."""
    n, d, e = {
        "tiny": (6, 8, 10),
        "cora": (2708, 1433, 10_556),
        "citeseer": (3327, 3703, 9_104),
        "reddit": (1000, 602, 10_000),  # of 232,965 nodes
        "digits": (1797, 64, 12_618),
    }[variant]
    return {
        "node": ShapeDtypeStruct((n, d), jnp.float32),
        "senders": ShapeDtypeStruct((e,), jnp.int32),
        "receivers": ShapeDtypeStruct((e,), jnp.int32),
    }
