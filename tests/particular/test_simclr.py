"""SimCLR: the representation is the trunk's, a head is put on it for training, a classifier for use."""

import jax
import numpy as np
from architectures import tiny

from dljax.models.representation import simclr


def test_heads_on_one_trunk():
    model, params, extra, inputs = tiny(simclr)
    trunk, image = {"trunk": params["trunk"]}, inputs["image"]
    rng = np.random.default_rng(0)
    output = {"kernel": rng.normal(size=(8, 3)).astype(np.float32), "bias": np.ones(3, np.float32)}
    net = simclr.Classifier(model.trunk, 3)

    @jax.jit
    def of(params, output):
        h = model.apply({"params": trunk, **extra}, image, method="represent")  # without a head
        z = model.apply({"params": params, **extra}, image, train=False)
        return h, z, net.apply({"params": {**trunk, "output": output}, **extra}, image, train=False)

    h, z, logits = map(np.asarray, of(params, output))
    assert h.shape == (2, 8) and z.shape == (2, 8)
    assert (h >= 0).all() and (h > 0).any()  # means of ReLUs
    np.testing.assert_allclose(logits, h @ output["kernel"] + 1.0, rtol=1e-5, atol=1e-6)
    w1, w2 = (jax.tree.map(np.asarray, params[name]) for name in ("hidden", "projection"))
    by_hand = np.maximum(h @ w1["kernel"] + w1["bias"], 0.0) @ w2["kernel"] + w2["bias"]
    np.testing.assert_allclose(z, by_hand, rtol=1e-5, atol=1e-6)
