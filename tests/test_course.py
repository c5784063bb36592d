"""The course's worked numbers, exactly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax.nn import Conv

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
    ],
    ids=["sigmoid", "tanh", "ReLU"],
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
