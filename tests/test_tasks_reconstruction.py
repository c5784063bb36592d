"""The variational bound."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax.tasks.reconstruction import kl_to_standard_normal, variational


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


class Known(nn.Module):
    """Every pixel has the logit log 3, and the code a known posterior."""

    latents: int = 2

    @nn.compact
    def __call__(self, image, *, train: bool):
        scale = self.param("scale", nn.initializers.ones, ())
        mean = scale * jnp.array([[1.0, -0.5]]).repeat(len(image), 0)
        log_var = jnp.array([[0.0, 1.0]]).repeat(len(image), 0)
        return jnp.full(image.shape, jnp.log(3.0)), mean, log_var


@pytest.mark.parametrize("beta", [1.0, 4.0])
def test_the_bound_by_hand(key, beta):
    """Pixels 1, 1, 0 and 1/2 under a chance of 3/4: -2 log 3/4 - log 1/4 - (log 3/4 + log 1/4) / 2."""
    task = variational(Known(), beta=beta)
    batch = {"image": jnp.array([1.0, 1.0, 0.0, 0.5]).reshape(1, 2, 2, 1)}
    params, extra = task.init(key, batch)
    kl = 0.5 + 0.5 * (np.e - 1.75)  # as above
    reconstruction = -2.5 * np.log(3 / 4) - 1.5 * np.log(1 / 4)
    measured = task.evaluate(params, extra, batch, key)
    value, aux = task.losses["model"](params, extra, batch, key)
    for found in (measured, {**aux.metrics, "loss": value}):
        np.testing.assert_allclose(found["kl"].value, kl, rtol=1e-6)  # float32
        np.testing.assert_allclose(found["reconstruction"].value, reconstruction, rtol=1e-6)
        np.testing.assert_allclose(found["loss"].value, reconstruction + beta * kl, rtol=1e-6)


def test_a_beta_of_one_is_the_plain_bound_to_the_bit(key):
    """One image: the loss is the float32 sum of the two numbers beside it."""
    task = variational(Known(), beta=1.0)
    batch = {"image": jax.random.uniform(key, (1, 2, 2, 1))}
    found = task.evaluate(*task.init(key, batch), batch, key)
    assert found["loss"].total == found["reconstruction"].total + found["kl"].total


def test_the_divergence_of_the_table():
    """Means of 1 and -1, variances of 1/4 and 4: 1/2 (1 + 1/4 - 1 + log 4) + 1/2 (1 + 4 - 1 - log 4)."""
    mean, log_var = jnp.array([[1.0, -1.0]]), jnp.log(jnp.array([[0.25, 4.0]]))
    np.testing.assert_allclose(kl_to_standard_normal(mean, log_var), [2.125], rtol=1e-6)
