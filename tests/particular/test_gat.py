"""GAT: the formula, over a dense matrix of neighbors."""

import numpy as np
from architectures import graph

from dljax import models
from dljax.models.graphs import gat


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
