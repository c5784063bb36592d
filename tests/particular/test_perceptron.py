"""The perceptron: its sum, its step, and Rosenblatt's rule."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax import models
from dljax.data import Arrays, Pipeline
from dljax.models.dense import perceptron
from dljax.rules.perceptron import perceptron_rule


@pytest.mark.parametrize(
    "bias, weight, x, z", [(1, (3, -2), (-1, 2), -6), (0, (8, 3, 6), (-4, -1, 2), -23)]
)
def test_perceptron_sum(bias, weight, x, z):
    unit = perceptron.Perceptron(len(weight))
    params = {"weight": jnp.asarray(weight, jnp.float32), "bias": jnp.float32(bias)}
    image = jnp.asarray([x], jnp.float32)
    assert unit.apply({"params": params}, image, method="weighted_sum") == z
    assert unit.apply({"params": params}, image, train=False) == 0  # step(z) of a negative sum


def test_a_step_is_flat():
    z = jnp.linspace(-4.0, 4.0, 33)  # 0 among them
    np.testing.assert_array_equal(perceptron.step(z), np.linspace(-4, 4, 33) > 0)
    np.testing.assert_array_equal(jax.vmap(jax.grad(perceptron.step))(z), np.zeros(33))


def test_perceptron_rule_by_hand(key):
    """One wrong example moves the weights by (t - y) x, a right one by nothing."""
    learner = perceptron_rule(models.build(perceptron, "tiny"))
    batch = {"image": jnp.asarray([[2.0, -1.0]]), "label": jnp.asarray([1])}
    state = learner.init(key, batch)
    state, metrics = learner.update(state, batch)  # at zero, step(0) = 0 is wrong
    assert metrics["accuracy"] == 0
    np.testing.assert_array_equal(state.params["model"]["weight"], [2.0, -1.0])
    assert state.params["model"]["bias"] == 1
    again, metrics = learner.update(state, batch)
    assert metrics["accuracy"] == 1 and int(again.step) == 2
    jax.tree.map(np.testing.assert_array_equal, again.params, state.params)


def test_the_rule_takes_the_mean_over_a_batch(key):
    """From zero, where all are called 0, the two that are 1 pull: ((2, -1) + (1, 1)) / 4, 2 / 4. Then
    the sums are 2, 1/2, 5/4 and -1/4, and the second is wrong, by a criterion of 1/2."""
    learner = perceptron_rule(models.build(perceptron, "tiny"))
    image = jnp.asarray([[2.0, -1.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 3.0]])
    batch = {"image": image, "label": jnp.asarray([1, 0, 1, 0])}
    state, metrics = learner.update(learner.init(key, batch), batch)
    assert (metrics["accuracy"], metrics["model/loss"]) == (0.5, 0)
    np.testing.assert_array_equal(state.params["model"]["weight"], [0.75, 0.0])
    assert state.params["model"]["bias"] == 0.5
    measured = learner.evaluate(state, {**batch, "mask": jnp.ones(4)})
    assert measured["accuracy"] == (3, 4) and measured["loss"] == (0.5, 4)
    state, metrics = learner.update(state, batch)
    assert (metrics["accuracy"], metrics["model/loss"]) == (0.75, 0.125)
    np.testing.assert_array_equal(state.params["model"]["weight"], [0.75, -0.25])


def test_perceptron_separates_what_a_line_separates(key):
    """Novikoff 1962: at most (R / margin)^2 mistakes, R with the 1 for the bias counted in."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (200, 2)).astype(np.float32)
    line = np.array([0.6, 0.8], np.float32)
    x = x[np.abs(x @ line - 0.1) > 0.1]
    label = (x @ line > 0.1).astype(np.int32)
    learner = perceptron_rule(models.build(perceptron, "tiny"))
    data = Pipeline(Arrays({"image": x, "label": label}), 1)
    state = learner.init(key, jax.tree.map(jnp.asarray, data.batch(0)))
    batches = [data.batch(step) for step in range(len(x) * 20)]
    stacked = jax.tree.map(lambda *b: np.stack(b), *batches)
    state, metrics = jax.lax.scan(learner.update, state, stacked)
    separator = np.array([*line, -0.1]) / np.linalg.norm([*line, -0.1])
    with_one = np.concatenate([x, np.ones((len(x), 1))], 1)
    margin = np.abs(with_one @ separator).min()
    assert (metrics["accuracy"] == 0).sum() <= (
        np.linalg.norm(with_one, axis=1).max() / margin
    ) ** 2
    found = learner.evaluate(state, {"image": jnp.asarray(x), "label": label})
    assert found["accuracy"].value == 1.0
