"""MPNN: the formula by loops over edges, and graphs that know nothing of their pack."""

import jax
import numpy as np
import pytest
from architectures import tiny

from dljax.data.sources.graph import Graph, Packs
from dljax.models.graphs import mpnn
from dljax.tasks.graphs import packs_with_edges

NONE = np.zeros(0, np.int64)


def drawn(nodes: int, pairs: list, seed: int) -> Graph:
    rng = np.random.default_rng(seed)
    receivers, senders = np.array([*pairs, *((b, a) for a, b in pairs)], np.int64).reshape(-1, 2).T
    edge = rng.normal(size=(len(pairs), 5)).astype(np.float32)
    node = rng.normal(size=(nodes, 11)).astype(np.float32)
    return Graph(node, senders, receivers, np.float32(0), np.concatenate([edge, edge]))


PATH = drawn(4, [(0, 1), (1, 2), (1, 3)], 0)
ATOM = drawn(1, [], 1)
RING = drawn(3, [(0, 1), (1, 2), (2, 0)], 2)


@pytest.fixture(scope="module")
def answers():
    model, params = tiny(mpnn, 0.2)[:2]
    apply = jax.jit(lambda inputs: model.apply({"params": params}, *inputs, train=False))

    def of(*several: Graph) -> np.ndarray:
        pack = Packs([*several, *several[:1] * (3 - len(several))], 3, nodes=20, edges=20)
        return np.asarray(apply(packs_with_edges(pack.gather(np.arange(3)))))[0, : len(several), 0]

    return of


def test_a_graphs_answer_is_its_own(answers):
    """Whatever its nodes' numbers and the graphs beside it; an atom without edges as well."""
    alone = [answers(graph)[0] for graph in (PATH, ATOM, RING)]
    order = np.array([2, 0, 3, 1])  # new node i was order[i]
    new = np.argsort(order)
    renamed = Graph(PATH.node[order], new[PATH.senders], new[PATH.receivers], PATH.label, PATH.edge)
    # float32 sums of a few terms in another order.
    np.testing.assert_allclose(
        answers(ATOM, RING, renamed), [alone[1], alone[2], alone[0]], atol=1e-5
    )
    assert np.isfinite(alone).all() and len(set(np.round(alone, 3))) == 3


def test_edges_matter_by_their_features(answers):
    changed = Graph(PATH.node, PATH.senders, PATH.receivers, PATH.label, PATH.edge[::-1])
    assert abs(answers(changed)[0] - answers(PATH)[0]) > 1e-3


def test_mpnn_is_the_formula(answers):
    """In float64, node by node and edge by edge."""
    model, params = tiny(mpnn, 0.2)[:2]
    p = jax.tree.map(lambda x: np.asarray(x, np.float64), params)

    def linear(name: str, x, of=p):
        return x @ of[name]["kernel"] + of[name].get("bias", 0)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    d, m, g, s = model.features, p["messages"], p["gru"], p["set2set"]
    h = np.maximum(linear("input", PATH.node), 0)
    matrices = linear("edge1", np.maximum(linear("edge0", PATH.edge, m), 0), m).reshape(-1, d, d)
    for _ in range(model.steps):
        near = np.zeros_like(h)
        for v in range(len(h)):
            incoming = [
                h[u] @ matrices[e] for e, u in enumerate(PATH.senders) if PATH.receivers[e] == v
            ]
            near[v] = np.mean(incoming, 0)
        x, y = linear("input", np.maximum(near + linear("own", h, m), 0), g), linear("hidden", h, g)
        r, z = sigmoid(x[:, :d] + y[:, :d]), sigmoid(x[:, d : 2 * d] + y[:, d : 2 * d])
        h = (1 - z) * np.tanh(x[:, 2 * d :] + r * y[:, 2 * d :]) + z * h
    q, c, heard = np.zeros(d), np.zeros(d), np.zeros(2 * d)
    for _ in range(model.reads):
        i, f, new, o = np.split(linear("input", heard, s) + linear("hidden", q, s), 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(new)
        q = sigmoid(o) * np.tanh(c)
        weight = np.exp(h @ q) / np.exp(h @ q).sum()
        heard = np.concatenate([q, weight @ h])
    expected = linear("head1", np.maximum(linear("head0", heard), 0))
    np.testing.assert_allclose(answers(PATH), expected, atol=1e-5)  # float32 against float64
