"""Max-pooling beside Flax's, and its gradient's rule for ties by hand."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax.nn import max_pool

pytestmark = pytest.mark.usefixtures("fast_forms")


@pytest.mark.parametrize("channels, window", [(4, 3), (32, 3), (4, 4)])
def test_max_pool_is_flax_function(channels, window, key):
    x = jax.random.normal(key, (2, 13, 10, channels))
    windows = (window, window)
    np.testing.assert_array_equal(max_pool(x, window), nn.max_pool(x, windows, windows))


@pytest.mark.parametrize("padding", ["SAME", "VALID", ((1, 1), (1, 1)), ((0, 1), (2, 0))])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_max_pool_of_padded_windows_is_flax_function(stride, padding, key):
    x = jax.random.normal(key, (2, 13, 10, 3)) - 5  # below the zeros that a wrong padding would add
    expected = nn.max_pool(x, (3, 3), (stride, stride), padding)
    np.testing.assert_array_equal(max_pool(x, 3, stride, padding), expected)


def test_windows_are_refused_by_their_numbers():
    with pytest.raises(ValueError, match="windows of 2 every 0"):
        max_pool(jnp.zeros((1, 3, 3, 1)), 2, 0)


@pytest.mark.parametrize("channels", [1, 32])
def test_of_equal_values_each_takes_its_share_of_the_gradient(channels):
    """By hand: 5 is the maximum once, 2 twice, 3 three times, 0 four times."""
    image = [[5, 1, 2, 2], [0, 1, 0, 1], [3, 3, 0, 0], [1, 3, 0, 0]]
    share = [[1, 0, 1 / 2, 1 / 2], [0, 0, 0, 0], [1 / 3, 1 / 3, 1 / 4, 1 / 4]]
    share += [[0, 1 / 3, 1 / 4, 1 / 4]]
    x = jnp.tile(jnp.array(image, jnp.float32)[None, :, :, None], (2, 1, 1, channels))
    out, pull = jax.vjp(max_pool, x)
    np.testing.assert_array_equal(out[0, :, :, 0], [[5, 2], [3, 0]])
    found = pull(jnp.full(out.shape, 12.0))[0]
    np.testing.assert_allclose(found[1, :, :, -1], 12 * np.array(share), rtol=1e-6)


def test_of_overlapping_windows_a_value_takes_its_share_of_each():
    """By hand: of columns 0 to 2 one value is the maximum, of 2 to 4 two are, of 4 to 6 three."""
    row = [1, 1, 4, 0, 4, 4, 4]
    x = jnp.array([row, [0] * 7, [0] * 7], jnp.float32)[None, :, :, None]
    out, pull = jax.vjp(partial(max_pool, window=3, stride=2), x)
    np.testing.assert_array_equal(out[0, 0, :, 0], [4, 4, 4])
    found = pull(jnp.array([6.0, 60.0, 600.0])[None, None, :, None])[0][0, :, :, 0]
    np.testing.assert_allclose(found[0], [0, 0, 6 + 30, 0, 30 + 200, 200, 200], rtol=1e-6)
    np.testing.assert_array_equal(found[1:], 0)
