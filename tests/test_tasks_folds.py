"""Cross-validation: each fold's model learns from the other folds alone, and the choice of the time."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dljax import learn
from dljax.data import EvalSet, Pipeline
from dljax.data.sources.graph import Graph, Packs
from dljax.nn.graph import NodeNorm, sums_at
from dljax.runtime.execute import make_executor
from dljax.runtime.profile import Mesh, Profile
from dljax.tasks.folds import CURVE, chosen, cross_validated
from dljax.tasks.graphs import graphs


class Pooled(nn.Module):
    """A norm over all nodes, and a linear layer on each graph's sum."""

    @nn.compact
    def __call__(self, node, senders, receivers, graph_id, node_mask, graph_mask, *, train: bool):
        node = NodeNorm(name="norm")(node, node_mask, train=train)
        return nn.Dense(2, name="out")(sums_at(node, graph_id, graph_mask.shape[1]))


NONE = np.zeros(0, np.int64)
FOLDS = np.array([0, 1, 2, -1, 0, 1, 2, -1])


def packs(changed: int | None = None, folds=FOLDS) -> Packs:
    """Eight graphs of one or two nodes without edges, one changed."""
    rng = np.random.default_rng(0)
    out = []
    for i, fold in enumerate(folds):
        node = rng.normal(size=(1 + i % 2, 3)).astype(np.float32) + 5 * (i == changed)
        out.append(Graph(node, NONE, NONE, np.array([i % 2, fold])))
    return Packs(out, 4)


@pytest.mark.parametrize("nested", [False, True], ids=["paper", "nested"])
def test_a_model_learns_from_the_other_folds_alone(nested, key):
    (whole,) = EvalSet(packs()).batches(2)
    task = cross_validated(graphs(Pooled()), whole, 3, every=2, most=4, nested=nested)
    first = jax.tree.map(jnp.asarray, Pipeline(packs(), 2, shuffle=False).batch(0))
    params, extra = jax.jit(task.init)(key, first)

    @jax.jit
    def gradient(params, extra, batch):
        def loss(params):
            value, aux = task.losses["model"](params, extra, batch, key)
            return value, aux.extra

        return jax.value_and_grad(loss, has_aux=True)(params)

    (_, after), there = gradient(params, extra, first)
    for graph, fold in enumerate(FOLDS[:4]):
        batch = Pipeline(packs(graph), 2, shuffle=False).batch(0)
        _, now = gradient(params, extra, jax.tree.map(jnp.asarray, batch))
        for model in range(3):
            same = jax.tree.map(lambda a, b, m=model: bool((a[m] == b[m]).all()), there, now)
            kept_out = fold == model or (nested and fold == (model + 1) % 3)
            assert all(jax.tree.leaves(same)) == kept_out, (graph, model)
    # Measured after steps 2 and 4, as steps 3 and 5 begin.
    for _ in range(4):
        (_, after), _ = gradient(params, after, first)
    counted = np.isfinite(after[CURVE]["choice"]).all(1)
    assert int(after[CURVE]["steps"]) == 5 and counted.tolist() == [True, True, False, False]
    measured = task.evaluate(params, after, jax.tree.map(jnp.asarray, whole), key)["accuracy"]
    assert float(measured.count) == 6, "a graph in no fold is tested by no model"
    # The folds have two graphs each, so their mean is the mean over graphs.
    np.testing.assert_allclose(after[CURVE]["accuracy"][1].mean(), measured.value, rtol=1e-6)


def test_devices_with_unequal_folds_step_as_one(key):
    """Of the first model a device has one training graph, the other four."""
    source = packs(folds=[0, 0, 0, -1, 1, 2, 1, 2])
    (whole,) = EvalSet(source).batches(2)
    task = cross_validated(graphs(Pooled()), whole, 3, every=2, most=4)
    after = []
    for profile in (Profile(mesh=Mesh(data=1)), Profile(mesh=Mesh(data=2), executor="pmap")):
        data = Pipeline(source, 2, shuffle=False)
        executor = make_executor(profile, learn(task, optax.sgd(0.1)), data)
        state, _ = executor.step(executor.init(key), executor.place(0, 1), 1)
        after.append(executor.whole(state).params)
    # Sums of some float32 values near 1, in another order.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-6), *after)


def test_the_time_is_chosen_for_all_folds_or_for_each():
    accuracy = np.array([[0.5, 0.9], [0.8, 0.7], [0.6, 0.6]])
    choice = np.array([[-1.0, -3.0], [-2.0, -2.0], [-3.0, -1.0]])
    # Means .7, .75, .6: the second time for both; by their own choice the first and the third.
    np.testing.assert_array_equal(chosen(accuracy, accuracy, common=True), [0.8, 0.7])
    np.testing.assert_array_equal(chosen(accuracy, choice, common=False), [0.5, 0.6])
