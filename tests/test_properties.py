"""Properties of every model of a kind: causality over time, equivariance on a graph."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from architectures import DECODERS, GRAPHS, graph, module_of, on_device, over, tiny

from dljax.analysis.generate import generate
from dljax.data.sources.graph import undirected

TIME = 8
TOKENS = jnp.arange(2 * TIME, dtype=jnp.int32).reshape(2, TIME)  # each token once
leaves = jax.tree_util.tree_leaves_with_path


# Models of the next token, further from their start than elsewhere, so that every path carries something.


@over(DECODERS)
def test_nothing_comes_from_the_future(architecture):
    model, params = tiny(module_of(architecture), 0.3)[:2]
    tables = [x for path, x in leaves(params) if path[-1].key == "embedding"]
    (table,) = (x for x in tables if len(x) == model.vocabulary)

    # One table of embeddings per use: what is read is differentiated, a tied head is not.
    def logits(read):
        def swapped(next_call, args, kwargs, context):
            embeds = isinstance(context.module, nn.Embed) and context.method_name == "__call__"
            if embeds and args[0].shape == TOKENS.shape:  # positions have one axis
                return read[args[0]]
            return next_call(*args, **kwargs)

        with nn.intercept_methods(swapped):
            return model.apply({"params": params}, TOKENS, train=False)

    jacobian = jax.jit(jax.jacrev(lambda read: logits(read)[0].sum(-1)))(table)
    # [t, d]-slices by source position: token s stands at position s of the first row
    reach = np.abs(np.asarray(jacobian)[:, :TIME]).sum(-1)
    assert (reach[np.triu_indices(TIME, 1)] == 0).all()
    assert (reach[np.tril_indices(TIME)] > 0).all()
    assert (np.abs(np.asarray(jacobian)[:, TIME:]) == 0).all()  # nor from the other example


@over(DECODERS)
@pytest.mark.parametrize("first", [1, 5])
def test_a_cache_changes_nothing(architecture, first):
    model, params = tiny(module_of(architecture), 0.3)[:2]
    whole = jax.jit(partial(model.apply, train=False))({"params": params}, TOKENS)
    on = jax.jit(partial(model.apply, train=False, decode=True, mutable=["cache"]))
    cache, parts = {}, []
    for start, end in [(0, first), *((i, i + 1) for i in range(first, TIME))]:
        logits, cache = on({"params": params, **cache}, TOKENS[:, start:end])
        parts.append(logits)
    # The same sums over other lengths: a few ulps of values near 1.
    np.testing.assert_allclose(jnp.concatenate(parts, 1), whole, atol=3e-6)


@over(DECODERS)
def test_greedy_generation_is_what_the_whole_model_says(architecture, key):
    model, params = tiny(module_of(architecture), 0.3)[:2]
    prompt = TOKENS[:, :4]
    context = getattr(model, "context", None)
    out = generate(model, params, prompt, key, length=6, temperature=0.0, context=context)
    text = jnp.concatenate([prompt, out], 1)
    logits = jax.jit(partial(model.apply, train=False))({"params": params}, text)
    np.testing.assert_array_equal(out, jnp.argmax(logits[:, 3:-1], -1))


# Graphs


@over(GRAPHS)
def test_renaming_the_nodes_renames_the_answers(architecture):
    node, senders, receivers = graph()
    model, params = tiny(module_of(architecture))[:2]
    variables = {"params": params}
    out = model.apply(variables, node, senders, receivers, train=False)
    order = np.random.default_rng(1).permutation(len(node))  # new node i was order[i]
    new = jnp.argsort(order).astype(jnp.int32)
    shuffled = np.random.default_rng(2).permutation(
        len(senders)
    )  # nor does the edges' order matter
    renamed = model.apply(
        variables, node[order], new[senders][shuffled], new[receivers][shuffled], train=False
    )
    # Sums in another order: a few ulps of values near 1.
    np.testing.assert_allclose(renamed, out[order], atol=1e-6)


@over(GRAPHS)
def test_a_node_without_edges_sees_itself_alone(architecture):
    node, senders, receivers = graph()
    model, params = tiny(module_of(architecture))[:2]
    variables = {"params": params}
    out = model.apply(variables, node, senders, receivers, train=False)
    none = jnp.zeros(0, jnp.int32)
    alone = model.apply(variables, node[-1:], none, none, train=False)
    assert np.isfinite(out).all()
    np.testing.assert_allclose(out[-1:], alone, atol=1e-6)  # another order of summation
    changed = node.at[-1].add(1)
    np.testing.assert_array_equal(
        model.apply(variables, changed, senders, receivers, train=False)[:-1], out[:-1]
    )


@over(GRAPHS)
def test_gradients_reach_the_neighbours_of_labelled_nodes_alone(architecture):
    # A path 0-1-2-3-4: the two layers of a tiny network carry node 0's loss to nodes 0, 1, 2 and no further.
    node = np.random.default_rng(0).normal(size=(5, 8))
    edges = undirected(np.array([[0, 1], [1, 2], [2, 3], [3, 4]]), 5)
    node, senders, receivers = on_device(node, *edges)
    model, params = tiny(module_of(architecture))[:2]
    variables = {"params": params}
    weight = jnp.arange(1.0, 8.0)

    def first(node):
        return jnp.sum(model.apply(variables, node, senders, receivers, train=False)[0] * weight)

    gradient = np.abs(jax.jit(jax.grad(first))(node)).sum(1)
    assert (gradient[3:] == 0).all() and gradient[0] > 0
