"""GraphSAGE: the formula, and neighbors drawn for each layer."""

import jax.numpy as jnp
import numpy as np
from architectures import graph, tiny

from dljax.models.graphs import graphsage


def test_graphsage_is_the_dense_formula():
    node, senders, receivers = graph()
    model, params = tiny(graphsage)[:2]
    linked = np.zeros((len(node), len(node)))
    linked[receivers, senders] = 1
    mean = linked / np.maximum(linked.sum(1, keepdims=True), 1)  # the last node has no neighbor
    assert not mean[-1].any()

    def layer(x, p):
        own, near = np.asarray(p["own"]["kernel"], np.float64), p["near"]
        return x @ own + mean @ x @ near["kernel"] + np.asarray(near["bias"])[None]

    hidden = np.maximum(layer(np.asarray(node, np.float64), params["sage0"]), 0)
    out = model.apply({"params": params}, node, senders, receivers, train=False)
    # float32 against float64
    np.testing.assert_allclose(out, layer(hidden, params["sage1"]), atol=1e-6)


def test_each_layer_has_its_own_neighbors():
    """Two lists that are the same are one; a change of a node reaches as far as either layer's edges go."""
    node, senders, receivers = graph()
    model, params = tiny(graphsage, 0.5)[:2]

    def out(node, *edges):
        return np.asarray(model.apply({"params": params}, node, *edges, train=False))

    both = [jnp.stack([x, x]) for x in (senders, receivers)]
    np.testing.assert_array_equal(out(node, *both), out(node, senders, receivers))
    none = jnp.full_like(senders, 6)  # all edges at the last node
    for lists in (lambda x: jnp.stack([x, none]), lambda x: jnp.stack([none, x])):
        edges = lists(senders), lists(receivers)
        moved = np.abs(out(node.at[0].add(1), *edges) - out(node, *edges)).max(1) > 0
        near = {0, *np.asarray(receivers)[np.asarray(senders) == 0].tolist()}
        assert {0} < set(np.flatnonzero(moved).tolist()) <= near
