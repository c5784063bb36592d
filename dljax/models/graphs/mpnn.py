"""MPNN. Gilmer et al. 2017, Neural Message Passing for Quantum Chemistry, arXiv:1704.01212, section 5: the edge
network, a GRU, and Set2Set (Vinyals et al. 2016, arXiv:1511.06391, section 4.2).

    m_v = mean over the neighbors u of v:  A(edge uv) h_u,  + W h_v + b;   h_v' = GRU(h_v, ReLU(m_v))

The mean, the own part and the ReLU are those of PyG's example, which is counted here.
"""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float, Int

from dljax.nn import dense
from dljax.nn.cells import gru_step, lstm_step
from dljax.nn.graph import mean_at, softmax_at, sums_at, take


class EdgeNetwork(nn.Module):
    """Messages by a matrix for each edge, which a perceptron makes of the edge's features."""

    features: int
    hidden: int

    @nn.compact
    def __call__(
        self,
        h: Float[Array, "b n d"],
        edge: Float[Array, "b e f"],
        senders: Int[Array, "b e"],
        receivers: Int[Array, "b e"],
        steps: int,
        update: nn.Module,
    ) -> Float[Array, "b n d"]:
        d, n = self.features, h.shape[1]
        made = jax.nn.relu(dense(self.hidden, name="edge0")(edge))
        matrices = dense(d * d, name="edge1")(made).reshape(*edge.shape[:2], d, d)  # [in, out]
        own = dense(d, name="own")
        for _ in range(steps):
            messages = jnp.einsum("bei,beio->beo", take(h, senders), matrices)
            near = jax.vmap(partial(mean_at, nodes=n))(messages, receivers)
            h = update(h, jax.nn.relu(near + own(h)))
        return h


class Gru(nn.Module):
    """One step of torch's GRU, with both its biases, for each node."""

    features: int

    @nn.compact
    def __call__(self, h: Float[Array, "b n d"], x: Float[Array, "b n d"]) -> Float[Array, "b n d"]:
        gates = [
            dense(3 * self.features, name=name)(y).reshape(-1, 3 * self.features)
            for name, y in (("input", x), ("hidden", h))
        ]
        (new,) = gru_step((h.reshape(-1, self.features),), *gates)
        return new.reshape(h.shape)


class Set2Set(nn.Module):
    """Steps of an LSTM that asks its graph's nodes and hears their mean by softmax: [q, answer]."""

    features: int
    steps: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "b n d"], graph_id: Int[Array, "b n"], graphs: int
    ) -> Float[Array, "b g m"]:
        d, shape = self.features, (len(x), graphs)
        ask, remember = (dense(4 * d, name=name) for name in ("input", "hidden"))
        q, c = jnp.zeros((*shape, d), x.dtype), jnp.zeros((*shape, d), x.dtype)
        heard = jnp.zeros((*shape, 2 * d), x.dtype)
        for _ in range(self.steps):
            q, c = lstm_step((q, c), ask(heard), remember(q))
            scores = jnp.sum(x * take(q, graph_id), -1, keepdims=True)
            weight = jax.vmap(partial(softmax_at, nodes=graphs))(scores, graph_id)
            answer = sums_at(weight.astype(x.dtype) * x, graph_id, graphs)
            heard = jnp.concatenate([q, answer], -1)
        return heard


class MPNN(nn.Module):
    """Numbers for each graph of a pack, from nodes and edges with features.

    Attributes:
        outputs: numbers for a graph.
        steps: of messages, all by the same weights.
        reads: steps of Set2Set.
    """

    outputs: int = 1
    features: int = 64
    hidden: int = 128
    steps: int = 3
    reads: int = 3

    @nn.compact
    def __call__(
        self,
        node: Float[Array, "b n d"],
        edge: Float[Array, "b e f"],
        senders: Int[Array, "b e"],
        receivers: Int[Array, "b e"],
        graph_id: Int[Array, "b n"],
        graph_mask: Float[Array, "b g"],
        *,
        train: bool,
    ) -> Float[Array, "b g outputs"]:
        h = jax.nn.relu(dense(self.features, name="input")(node))
        gru = Gru(self.features, name="gru")
        h = EdgeNetwork(self.features, self.hidden, name="messages")(
            h, edge, senders, receivers, self.steps, gru
        )
        read = Set2Set(self.features, self.reads, name="set2set")(h, graph_id, graph_mask.shape[1])
        read = jax.nn.relu(dense(self.features, name="head0")(read))
        return dense(self.outputs, name="head1")(read)


MODEL = MPNN
VARIANTS: dict[str, dict] = {
    "tiny": {"features": 6, "hidden": 4, "steps": 2, "reads": 2},
    "qm9": {},
    "32": {"features": 32, "hidden": 64},
    "16": {"features": 16, "hidden": 32},
}
PUBLISHED = {"qm9": 617_025}  # trainable, of 11 features of nodes and 5 of edges


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Packs of (nodes, directed edges, graphs), with the features of QM9."""
    b, n, e, g = (2, 6, 8, 3) if variant == "tiny" else (4, 150, 330, 9)
    return {
        "node": ShapeDtypeStruct((b, n, 11), jnp.float32),
        "edge": ShapeDtypeStruct((b, e, 5), jnp.float32),
        "senders": ShapeDtypeStruct((b, e), jnp.int32),
        "receivers": ShapeDtypeStruct((b, e), jnp.int32),
        "graph_id": ShapeDtypeStruct((b, n), jnp.int32),
        "graph_mask": ShapeDtypeStruct((b, g), jnp.float32),
    }
