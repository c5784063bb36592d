"""The extreme learning machine: its hidden layer, and the readout that is solved for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax import models
from dljax.models.reservoirs import elm
from dljax.rules.readout import ridge_classifier

N, RIDGE = 48, 0.01


def data():
    rng = np.random.default_rng(0)
    image = rng.normal(size=(N, 2, 3)).astype(np.float32)
    return {"image": jnp.asarray(image), "label": jnp.asarray(np.arange(N) % 3)}


def machine(ridge):
    model = models.build(elm, "tiny", inputs=6, hidden=8, classes=3)
    return model, ridge_classifier(model, ridge=ridge)


def trained(ridge, key, parts=1):
    model, learner = machine(ridge)
    state = learner.init(key, data())
    update, size = jax.jit(learner.update), N // parts
    for i in range(parts):
        part = jax.tree.map(lambda x, i=i: x[i * size : (i + 1) * size], data())
        state, metrics = update(state, part)
    return model, state, metrics


def by_hand(state):
    """Features and targets, as written out in float64."""
    params = jax.tree.map(lambda x: np.asarray(x, np.float64), state.params["model"])
    x = np.asarray(data()["image"], np.float64).reshape(N, -1)
    target = np.where(np.arange(3) == np.asarray(data()["label"])[:, None], 1.0, -1.0)
    return np.tanh(x @ params["kernel"] + params["bias"]), target


@pytest.mark.parametrize("parts", [1, 4])
def test_readout_is_the_ridge_regression(key, parts):
    """However the examples are cut in batches; the slope of the penalized error is 0 there."""
    _, state, _ = trained(RIDGE, key, parts)
    h, target = by_hand(state)
    beta = np.linalg.solve(h.T @ h + RIDGE * N * np.eye(8), h.T @ target)
    np.testing.assert_allclose(state.params["model"]["readout"], beta, atol=1e-4)


def test_without_a_ridge_it_is_the_pseudo_inverse(key):
    _, state, _ = trained(1e-7, key)
    h, target = by_hand(state)
    np.testing.assert_allclose(
        state.params["model"]["readout"], np.linalg.pinv(h) @ target, atol=1e-3
    )


def test_the_hidden_layer_stays(key):
    model, learner = machine(RIDGE)
    state = learner.init(key, data())
    after, _ = learner.update(state, data())
    for name in ("kernel", "bias"):
        np.testing.assert_array_equal(state.params["model"][name], after.params["model"][name])
    h, _ = by_hand(state)
    found = model.apply({"params": state.params["model"]}, data()["image"], method="features")
    np.testing.assert_allclose(found, h, atol=1e-6)


def test_measures(key):
    """Before the first batch all readouts are 0, which is 1 from every target, and class 0 is named."""
    _, learner = machine(RIDGE)
    state, metrics = learner.update(learner.init(key, data()), data())
    assert metrics["model/loss"] == 1 and metrics["accuracy"] == pytest.approx(1 / 3)
    h, target = by_hand(state)
    out = h @ np.asarray(state.params["model"]["readout"], np.float64)
    found = learner.evaluate(state, {**data(), "mask": jnp.ones(N)})
    assert found["loss"].value == pytest.approx(((out - target) ** 2).mean(), rel=1e-4)
    right = (out.argmax(1) == np.arange(N) % 3).mean()
    assert found["accuracy"].value == pytest.approx(right) and right > 0.4
