"""What a network on a graph owes the graph, and a reader of foreign files its user."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dljax
from dljax import models
from dljax.data import EvalSet, Pipeline
from dljax.data.datasets import cora, digit_graph
from dljax.data.sources.graph import undirected
from dljax.errors import UserError
from dljax.models.graphs import gat, gcn
from dljax.runtime.loop import run
from dljax.runtime.profile import Mesh, Profile

NETWORKS = pytest.mark.parametrize("architecture", [gcn, gat], ids=["gcn", "gat"])


def graph(n=7, d=8, seed=0):
    rng = np.random.default_rng(seed)
    pairs = rng.integers(0, n - 1, (9, 2))  # the last node has no edge
    return on_device(rng.normal(size=(n, d)), *undirected(pairs, n))


def on_device(node, senders, receivers):
    return jnp.asarray(node, jnp.float32), jnp.asarray(senders), jnp.asarray(receivers)


@NETWORKS
def test_renaming_the_nodes_renames_the_answers(architecture, key):
    node, senders, receivers = graph()
    model = models.build(architecture, "tiny")
    variables = model.init(key, node, senders, receivers, train=False)
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


@NETWORKS
def test_a_node_without_edges_sees_itself_alone(architecture, key):
    node, senders, receivers = graph()
    model = models.build(architecture, "tiny")
    variables = model.init(key, node, senders, receivers, train=False)
    out = model.apply(variables, node, senders, receivers, train=False)
    none = jnp.zeros(0, jnp.int32)
    alone = model.apply(variables, node[-1:], none, none, train=False)
    assert np.isfinite(out).all()
    np.testing.assert_allclose(out[-1:], alone, atol=1e-6)  # another order of summation
    changed = node.at[-1].add(1)
    np.testing.assert_array_equal(
        model.apply(variables, changed, senders, receivers, train=False)[:-1], out[:-1]
    )


def test_gcn_on_three_nodes_is_the_formula(key):
    node = np.random.default_rng(0).normal(size=(3, 8))
    edges = undirected(np.array([[0, 1], [1, 2]]), 3)  # a path
    node, senders, receivers = on_device(node, *edges)
    model = models.build(gcn, "tiny")
    params = model.init(key, node, senders, receivers, train=False)["params"]
    # A' = D^-1/2 (A + I) D^-1/2 with degrees 2, 3, 2
    a = 1 / np.sqrt(6)
    propagate = np.array([[1 / 2, a, 0], [a, 1 / 3, a], [0, a, 1 / 2]])
    first, second = params["conv0"], params["conv1"]
    hidden = np.maximum(propagate @ node @ first["kernel"] + first["bias"][None], 0)
    expected = propagate @ hidden @ second["kernel"] + second["bias"][None]
    out = model.apply({"params": params}, node, senders, receivers, train=False)
    np.testing.assert_allclose(out, expected, atol=1e-6)  # float32 against float64


def test_gat_is_the_dense_formula(key):
    node, senders, receivers = graph()
    n = len(node)
    model = models.build(gat, "tiny")
    params = model.init(key, node, senders, receivers, train=False)["params"]
    linked = np.eye(n, dtype=bool)
    linked[receivers, senders] = True

    def layer(x, p):
        heads = []
        for k in range(p["source"].shape[0]):
            width = p["source"].shape[1]
            h = x @ np.asarray(p["kernel"], np.float64)[:, k * width : (k + 1) * width]
            scores = (h @ np.asarray(p["target"])[k])[:, None] + (h @ np.asarray(p["source"])[k])[
                None
            ]
            scores = np.where(scores > 0, scores, 0.2 * scores)
            weight = np.where(linked, np.exp(scores), 0)
            heads.append(weight / weight.sum(1, keepdims=True) @ h + np.asarray(p["bias"])[k][None])
        return heads

    x = np.concatenate(layer(node, params["attention0"]), 1)
    x = np.where(x > 0, x, np.expm1(x))
    expected = layer(x, params["attention1"])[0]
    out = model.apply({"params": params}, node, senders, receivers, train=False)
    np.testing.assert_allclose(out, expected, atol=1e-6)  # float32 against float64


def test_a_whole_graph_is_one_batch_for_every_device():
    train, validation, test = digit_graph.load(fake=True)
    batch = Pipeline(train, 1).batch(41)
    assert batch["node"].shape == (1797, 64) and batch["mask"].sum() == 100
    (whole,) = EvalSet(test).batches(1)
    np.testing.assert_array_equal(whole["mask"], test.mask)
    assert (train.mask + validation.mask + test.mask == 1).all()


def test_several_seeds_on_several_devices(tmp_path):
    """A graph is whole on each of 8 devices, and three models learn from it at once."""
    build = dljax.load("experiments/graphs/gcn_digits.py")
    results = []
    for devices in (1, 8):
        experiment = build(fake=True, variant="tiny", steps=3, seeds=3)
        profile = Profile(mesh=Mesh(data=devices), compilation_cache="off")
        results.append(run(experiment, profile, tmp_path / str(devices), quiet=True))
    one, eight = results
    assert np.shape(one.metrics["test/accuracy"]) == (3,)
    assert len(set(np.asarray(one.metrics["test/loss"]).tolist())) == 3
    for name, value in one.metrics.items():
        # The same program on the same data: only the reductions' threads may differ.
        np.testing.assert_allclose(eight.metrics[name], value, rtol=1e-5)


class Malicious:
    def __reduce__(self):
        return open, ("executed.txt", "w")


def test_a_malicious_file_is_refused_and_not_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for payload in (Malicious(), [Malicious()], np.array([Malicious()], object)):
        (tmp_path / "ind.cora.graph").write_bytes(pickle.dumps(payload, protocol=2))
        with pytest.raises(UserError, match="no Planetoid file"):
            cora.read(tmp_path / "ind.cora.graph")
    assert not (tmp_path / "executed.txt").exists()


@pytest.mark.parametrize("content", [b"", b"\x80\x02", b"not a pickle", pickle.dumps({1: 2})])
def test_a_damaged_file_is_one_line(tmp_path, content):
    (tmp_path / "ind.cora.x").write_bytes(content)
    with pytest.raises(UserError, match="no Planetoid file"):
        cora.read(tmp_path / "ind.cora.x")


def _planetoid(folder, sparse):
    """A graph of 3 + 3 nodes, of which node 4 (a test node) is missing, as in Citeseer."""
    one_hot = np.eye(2, dtype=np.int32)

    def write(name, value):
        (folder / f"ind.citeseer.{name}").write_bytes(pickle.dumps(value, protocol=3))

    features = np.arange(1, 7, dtype=np.float32).reshape(3, 2)
    write("x", sparse(features[:1]))
    write("allx", sparse(features))
    write("tx", sparse(np.array([[0, 8], [9, 0]], np.float32)))
    write("y", one_hot[[0]])
    write("ally", one_hot[[0, 1, 1]])
    write("ty", one_hot[[1, 0]])
    import collections

    links = collections.defaultdict(list, {0: [1, 1, 0], 1: [0], 2: [5], 3: [], 5: [2]})
    write("graph", links)
    (folder / "ind.citeseer.test.index").write_text("5\n3\n")


def test_planetoid_files_with_missing_nodes(tmp_path):
    sparse = pytest.importorskip("scipy.sparse")
    _planetoid(tmp_path, sparse.csr_matrix)
    train, _, test = cora.load(str(tmp_path), "citeseer")
    expected = [[1 / 3, 2 / 3], [3 / 7, 4 / 7], [5 / 11, 6 / 11], [1, 0], [0, 0], [0, 1]]
    np.testing.assert_allclose(train.node, expected, rtol=1e-6)  # float32 rounding
    np.testing.assert_array_equal(train.label, [0, 1, 1, 0, 0, 1])
    np.testing.assert_array_equal(train.mask, [1, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(test.mask, [0, 0, 0, 1, 0, 1])
    edges = set(zip(train.senders.tolist(), train.receivers.tolist(), strict=True))
    assert edges == {(0, 1), (1, 0), (2, 5), (5, 2)}  # loops and repeated links are dropped


def test_absent_files_name_the_ways_out():
    with pytest.raises(UserError, match="--data FOLDER; or try --fake true"):
        cora.load("/nowhere")


@NETWORKS
def test_gradients_reach_the_neighbours_of_labelled_nodes_alone(architecture, key):
    # A path 0-1-2-3-4: two layers carry node 0's loss to nodes 0, 1, 2 and no further.
    node = np.random.default_rng(0).normal(size=(5, 8))
    edges = undirected(np.array([[0, 1], [1, 2], [2, 3], [3, 4]]), 5)
    node, senders, receivers = on_device(node, *edges)
    model = models.build(architecture, "tiny")
    variables = model.init(key, node, senders, receivers, train=False)
    weight = jnp.arange(1.0, 8.0)

    def first(node):
        return jnp.sum(model.apply(variables, node, senders, receivers, train=False)[0] * weight)

    gradient = np.abs(jax.jit(jax.grad(first))(node)).sum(1)
    assert (gradient[3:] == 0).all() and gradient[0] > 0
