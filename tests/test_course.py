"""The course's worked numbers, exactly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax import models
from dljax.data import Arrays, Pipeline
from dljax.models.convnets import cnn
from dljax.models.dense import mlp, perceptron
from dljax.nn import Conv
from dljax.rules.perceptron import perceptron_rule

SMALL = [[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]]
LARGE = [
    [1, 2, 5, 1, 4, 2],
    [0, 2, 3, 2, 0, 0],
    [4, 5, 5, 9, 8, 1],
    [6, 3, 4, 2, 3, 1],
    [0, 1, 9, 8, 7, 2],
    [2, 3, 5, 5, 5, 6],
]
CONVOLUTIONS = {
    "5x5": (SMALL, [[1, 0, 1], [0, 1, 0], [1, 0, 1]], [[4, 3, 4], [2, 4, 3], [2, 3, 4]]),
    # The slide prints the second row as -7, -2, -2, -4; the arithmetic gives -8, -2, -4, -4.
    "6x6": (
        LARGE,
        [[1, 1, 1], [0, 0, 0], [-1, -1, -1]],
        [[-6, -11, -12, -11], [-8, -2, -4, -4], [4, 1, -2, 1], [3, -4, -6, -10]],
    ),
}


@pytest.mark.parametrize("image, kernel, expected", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_convolution(image, kernel, expected):
    """Small whole numbers: exact in float32."""
    x = jnp.asarray(image, jnp.float32)[None, :, :, None]
    params = {"kernel": jnp.asarray(kernel, jnp.float32)[:, :, None, None]}
    layer = Conv(1, (3, 3), padding="VALID", use_bias=False)
    np.testing.assert_array_equal(layer.apply({"params": params}, x)[0, :, :, 0], expected)


@pytest.mark.parametrize(
    "bias, weight, x, z", [(1, (3, -2), (-1, 2), -6), (0, (8, 3, 6), (-4, -1, 2), -23)]
)
def test_perceptron_sum(bias, weight, x, z):
    unit = perceptron.Perceptron(len(weight))
    params = {"weight": jnp.asarray(weight, jnp.float32), "bias": jnp.float32(bias)}
    image = jnp.asarray([x], jnp.float32)
    assert unit.apply({"params": params}, image, method="weighted_sum") == z
    assert unit.apply({"params": params}, image, train=False) == 0  # step(z) of a negative sum


def test_sigmoid_of_the_example():
    """1 / (1 + e^6) = 0.002472..., which the course rounds to 0.002."""
    np.testing.assert_allclose(jax.nn.sigmoid(-6.0), 1 / (1 + np.exp(6.0)), rtol=1e-6)
    assert round(float(jax.nn.sigmoid(-6.0)), 3) == 0.002


@pytest.mark.parametrize(
    "f, derivative",
    [
        (jax.nn.sigmoid, lambda z, g: g * (1 - g)),
        (jnp.tanh, lambda z, g: 1 - g**2),
        (jax.nn.relu, lambda z, g: (z > 0).astype(z.dtype)),
        (perceptron.step, lambda z, g: jnp.zeros_like(z)),
    ],
    ids=["sigmoid", "tanh", "ReLU", "step"],
)
def test_derivative_of_activation(f, derivative):
    z = jnp.linspace(-4.0, 4.0, 33)  # 0 among them: ReLU's derivative there is 0
    ours = jax.vmap(jax.grad(f))(z)
    # 1 - g cancels near g = 1: absolute error of a few float32 units.
    np.testing.assert_allclose(ours, derivative(z, f(z)), atol=3e-7)


def test_stack_of_convolutions(key):
    """32x32x3, six 5x5 filters: 28x28x6 and 450 weights; then ten: 24x24x10 and 1,500."""
    x = jnp.zeros((1, 32, 32, 3))
    for features, side, weights in ((6, 28, 450), (10, 24, 1500)):
        layer = Conv(features, (5, 5), padding="VALID", use_bias=False)
        x, variables = layer.init_with_output(key, x)
        assert x.shape == (1, side, side, features)
        assert variables["params"]["kernel"].size == weights


def test_layers_of_the_courses_networks(key):
    """model.summary(): parameters per layer."""

    def sizes(home, variant):
        model = models.build(home, variant)
        shapes = jax.eval_shape(lambda i: model.init(key, **i, train=False), home.inputs(variant))
        layers = shapes["params"].items()
        return {n: sum(int(np.prod(x.shape)) for x in p.values()) for n, p in layers}

    assert sizes(cnn, "course") == {"conv1_1": 320, "conv2_1": 18_496, "output": 16_010}
    assert sizes(mlp, "128") == {"hidden1": 100_480, "output": 1_290}


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
    assert learner.evaluate(state, {"image": jnp.asarray(x), "label": label})["accuracy"].all()
