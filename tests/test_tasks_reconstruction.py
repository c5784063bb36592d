"""The variational bound."""

import jax
import jax.numpy as jnp
import numpy as np

from dljax.tasks.reconstruction import kl_to_standard_normal


def test_kl_by_hand_and_by_monte_carlo(key):
    assert kl_to_standard_normal(jnp.zeros((1, 3)), jnp.zeros((1, 3))) == 0
    mean, log_var = jnp.array([[1.0, -0.5]]), jnp.array([[0.0, 1.0]])
    # 1/2 (1 + 1 - 1 - 0) + 1/2 (0.25 + e - 1 - 1)
    closed = kl_to_standard_normal(mean, log_var)
    np.testing.assert_allclose(closed, [0.5 + 0.5 * (np.e - 1.75)], rtol=1e-6)
    z = mean + jnp.exp(0.5 * log_var) * jax.random.normal(key, (200_000, 2))
    log_ratio = 0.5 * (z**2 - (z - mean) ** 2 / jnp.exp(log_var) - log_var).sum(-1)
    # The ratio's standard deviation is about 2: 4 x 2 / sqrt(200,000) = 0.02.
    np.testing.assert_allclose(log_ratio.mean(), closed[0], atol=0.02)
