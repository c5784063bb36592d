"""GCN: the formula, and several models at once on several devices."""

import numpy as np
from architectures import on_device

import dljax
from dljax import models
from dljax.cli.runs import together
from dljax.data.sources.graph import undirected
from dljax.models.graphs import gcn
from dljax.runtime.loop import run
from dljax.runtime.profile import Mesh, Profile


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


def test_several_seeds_on_several_devices(tmp_path):
    """A graph is whole on each of 8 devices, and three models learn from it at once."""
    build = dljax.load("experiments/graphs/gcn.py")
    results = []
    for devices in (1, 8):
        experiment = together(build(fake=True, variant="tiny", steps=3), (0, 1, 2))
        profile = Profile(mesh=Mesh(data=devices), compilation_cache="off")
        results.append(run(experiment, profile, tmp_path / str(devices), quiet=True))
    one, eight = results
    assert np.shape(one.metrics["test/accuracy"]) == (3,)
    assert len(set(np.asarray(one.metrics["test/loss"]).tolist())) == 3
    for name, value in one.metrics.items():
        # The same program on the same data: only the reductions' threads may differ.
        np.testing.assert_allclose(eight.metrics[name], value, rtol=1e-5)
