"""GIN. Xu et al. 2019, How Powerful are Graph Neural Networks?, arXiv:1810.00826, equation 4.1.

    h_v' = MLP((1 + epsilon) h_v + sum over the neighbors u of v:  h_u)

With sums over neighbors and over a graph's nodes it tells apart whatever the Weisfeiler-Lehman test does.
"""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float, Int

from dljax.nn import Dropout, dense
from dljax.nn.graph import NodeNorm, sums_at, take


class Perceptron(nn.Module):
    """Linear, BatchNorm over the nodes, ReLU, linear."""

    features: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "b n d"], node_mask: Float[Array, "b n"], *, train: bool
    ) -> Float[Array, "b n features"]:
        x = dense(self.features, name="linear0")(x)
        x = NodeNorm(name="norm")(x, node_mask, train=train)
        return dense(self.features, name="linear1")(jax.nn.relu(x))


class GIN(nn.Module):
    """Layers of sums and perceptrons, and an answer for each graph of a pack.

    Attributes:
        read: "every depth" is the authors' program: another BatchNorm after each perceptron, and the sum
            of a linear layer's answers from each depth, the nodes' features among them. "last" is PyG's
            example: one perceptron reads the last depth.
        epsilon: learned, one per layer, as GIN-epsilon does; False is GIN-0.
    """

    classes: int = 2
    layers: int = 4
    features: int = 32
    read: Literal["every depth", "last"] = "every depth"
    epsilon: bool = False
    dropout: float = 0.5

    @nn.compact
    def __call__(
        self,
        node: Float[Array, "b n d"],
        senders: Int[Array, "b e"],
        receivers: Int[Array, "b e"],
        graph_id: Int[Array, "b n"],
        node_mask: Float[Array, "b n"],
        graph_mask: Float[Array, "b g"],
        *,
        train: bool,
    ) -> Float[Array, "b g classes"]:
        n, graphs = node.shape[1], graph_mask.shape[1]
        more = jnp.zeros(self.layers, node.dtype)
        if self.epsilon:
            more = self.param("epsilon", nn.initializers.zeros, (self.layers,)).astype(node.dtype)
        x, depths = node, [node]
        for i in range(self.layers):
            x = (1 + more[i]) * x + sums_at(take(x, senders), receivers, n)
            x = Perceptron(self.features, name=f"perceptron{i}")(x, node_mask, train=train)
            if self.read == "every depth":
                x = NodeNorm(name=f"norm{i}")(x, node_mask, train=train)
            x = jax.nn.relu(x)
            depths.append(x)
        if self.read == "last":
            pooled = sums_at(x, graph_id, graphs)
            pooled = jax.nn.relu(dense(self.features, name="head0")(pooled))
            pooled = Dropout(self.dropout, name="dropout")(pooled, train=train)
            return dense(self.classes, name="head1")(pooled)
        answer = jnp.zeros((len(node), graphs, self.classes), node.dtype)
        for i, x in enumerate(depths):
            score = dense(self.classes, name=f"head{i}")(sums_at(x, graph_id, graphs))
            answer += Dropout(self.dropout, name=f"dropout{i}")(score, train=train)
        return answer


MODEL = GIN
VARIANTS: dict[str, dict] = {
    "tiny": {"layers": 2, "features": 4, "epsilon": True},
    "16": {"features": 16},
    "32": {},
    "32-epsilon": {"epsilon": True},
    "64": {"features": 64},
    "pyg": {"layers": 5, "read": "last"},
    "pyg-epsilon": {"layers": 5, "read": "last", "epsilon": True},
}
# Trainable, of MUTAG's 7 kinds of atoms. The authors' program holds its epsilons where it does not use them.
PUBLISHED = {
    "16": 2_440,
    "32": 8_440,
    "32-epsilon": 8_444,
    "64": 31_192,
    "pyg": 11_202,
    "pyg-epsilon": 11_207,
}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Packs of (nodes, features, directed edges, graphs)."""
    b, n, d, e, g = (2, 6, 3, 8, 3) if variant == "tiny" else (4, 150, 7, 330, 9)
    return {
        "node": ShapeDtypeStruct((b, n, d), jnp.float32),
        "senders": ShapeDtypeStruct((b, e), jnp.int32),
        "receivers": ShapeDtypeStruct((b, e), jnp.int32),
        "graph_id": ShapeDtypeStruct((b, n), jnp.int32),
        "node_mask": ShapeDtypeStruct((b, n), jnp.float32),
        "graph_mask": ShapeDtypeStruct((b, g), jnp.float32),
    }
