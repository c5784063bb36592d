"""The same weights in transformers, torch or PyG and here give the same outputs.

Their outputs are stored by ``tests/parity/sequences_and_graphs.py``; the weights are made again from
names and shapes, in their layout, and come here through ``dljax.weights``.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from parity.cases import GPT2, LSTM, graph, tokens
from parity.recipe import weights

from dljax import models
from dljax.models.graphs import gat, gcn
from dljax.models.recurrent import lstm
from dljax.models.transformers import gpt
from dljax.weights import gpt2 as gpt2_weights
from dljax.weights import graphs as graph_weights
from dljax.weights import lstm as lstm_weights
from dljax.weights.mapping import to_params, to_state

GOLDEN = np.load(Path(__file__).parent / "parity/golden/sequences_and_graphs.npz")


def output(model, params, *arrays):
    params = jax.tree.map(jnp.asarray, params)
    return model.apply({"params": params}, *map(jnp.asarray, arrays), train=False)


def close(ours, golden):
    # Both in float32, sums of at most 128 terms through at most 3 blocks: some ulps of the largest.
    np.testing.assert_allclose(ours, golden, atol=2e-6 * np.abs(golden).max(), rtol=2e-5)


def test_gpt2_is_transformers():
    d, layers = GPT2["features"], GPT2["layers"]
    entries = gpt2_weights.entries(layers)
    shapes = {
        "transformer.wte.weight": (GPT2["vocabulary"], d),
        "transformer.wpe.weight": (GPT2["context"], d),
    }
    for entry in entries[2:]:
        inner, outer = {"c_attn": (d, 3 * d), "c_fc": (d, 4 * d)}.get(
            entry.name.split(".")[-2], (4 * d if ".mlp." in entry.name else d, d)
        )
        kernel = entry.path.endswith("kernel")
        shapes[entry.name] = (inner, outer) if kernel else (outer,)
    state = weights(shapes)
    params = to_params(entries, state)
    close(output(models.build(gpt, "gpt2", **GPT2), params, tokens()), GOLDEN["gpt2"])
    back = to_state(entries, params)
    assert back.keys() == state.keys()
    assert all((back[name] == state[name]).all() for name in state)


def test_lstm_is_torch():
    v, h = LSTM["vocabulary"], LSTM["hidden"]
    shapes = {"encoder.weight": (v, h), "decoder.weight": (v, h), "decoder.bias": (v,)}
    for layer in range(LSTM["layers"]):
        for kind in ("ih", "hh"):
            shapes[f"rnn.weight_{kind}_l{layer}"] = (4 * h, h)
            shapes[f"rnn.bias_{kind}_l{layer}"] = (4 * h,)
    params = lstm_weights.from_torch(weights(shapes), LSTM["layers"])
    close(output(models.build(lstm, "small", **LSTM), params, tokens()), GOLDEN["lstm"])


def test_gcn_is_pyg():
    shapes = {
        "conv0.lin.weight": (6, 10),
        "conv0.bias": (6,),
        "conv1.lin.weight": (4, 6),
        "conv1.bias": (4,),
    }
    params = graph_weights.gcn_from_pyg(weights(shapes))
    close(output(models.build(gcn, "cora", hidden=6, classes=4), params, *graph()), GOLDEN["gcn"])


def test_gat_is_pyg():
    shapes = {}
    for layer, (inner, heads, features) in enumerate([(10, 4, 3), (12, 1, 5)]):
        shapes[f"conv{layer}.lin.weight"] = (heads * features, inner)
        shapes[f"conv{layer}.bias"] = (heads * features,)
        for half in ("src", "dst"):
            shapes[f"conv{layer}.att_{half}"] = (1, heads, features)
    params = graph_weights.gat_from_pyg(weights(shapes))
    model = models.build(gat, "cora", features=3, heads=4, classes=5)
    close(output(model, params, *graph()), GOLDEN["gat"])
