"""Two players: the energy distance between samples, and losses by hand."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax.analysis.distances import energy_distance
from dljax.nn import batch_norm
from dljax.tasks.adversarial import adversarial


@pytest.mark.parametrize(
    "x, y, distance",
    [
        # between: 1, 3, 1, 1; within: 2 and 2
        ([[0.0], [2.0]], [[1.0], [3.0]], 2 * 1.5 - 2 - 2),
        ([[0.0, 0.0]] * 2, [[3.0, 4.0]] * 3, 2 * 5.0),
        # between: 1 and 3; within: the three pairs of one point are 0 apart, the one of two points 2
        ([[0.0]] * 3, [[1.0], [3.0]], 2 * 2.0 - 2),
        # the corners of a triangle with sides 3, 4 and 5, and one of them twice
        ([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]], [[0.0, 0.0]] * 2, 2 * 7 / 3 - 4),
    ],
)
def test_energy_distance_of_points_by_hand(x, y, distance):
    np.testing.assert_allclose(energy_distance(jnp.array(x), jnp.array(y)), distance, atol=1e-6)


@pytest.mark.parametrize("shift", [0.0, 0.5, 3.0])
def test_energy_distance_of_gaussians(shift, key):
    """N(0, 1) and N(d, 1): twice the mean of |N(d, 2)| less twice that of |N(0, 2)|; 0 for d = 0."""

    def mean_distance(d):
        tail = 0.5 * math.erfc(d / 2)  # of N(d, 2) below 0
        return 2 / np.sqrt(np.pi) * np.exp(-(d**2) / 4) + d * (1 - 2 * tail)

    x, y = jax.random.normal(key, (2, 2000, 8, 1))
    found = jax.vmap(energy_distance)(x, shift + y)
    expected = 2 * (mean_distance(shift) - mean_distance(0))
    # Four standard errors of the mean over batches; pairs with themselves would add 2 x 1.13 / 8.
    atol = 4 * found.std() / np.sqrt(len(found))
    assert atol < 0.5 * 2 * mean_distance(0) / 8
    np.testing.assert_allclose(found.mean(), expected, atol=atol)


class Fixed(nn.Module):
    """Images of -2 whatever the noise, past a BatchNorm that sees 3 everywhere."""

    @nn.compact
    def __call__(self, noise, *, train: bool):
        seen = batch_norm(train=train, name="norm")(jnp.full((len(noise), 1), 3.0))
        scale = self.param("scale", nn.initializers.ones, (1,))
        return -2.0 * scale[None] + 0.0 * seen


class Mean(nn.Module):
    """An image's mean as its logit."""

    @nn.compact
    def __call__(self, image, *, train: bool):
        scale = self.param("scale", nn.initializers.ones, (1,))
        return jnp.mean(scale[None] * image, axis=1)


@pytest.fixture
def fixed(key):
    """Real images have the logit 1, made ones -2."""
    batch = {"image": jnp.ones((4, 1))}
    task = adversarial(Fixed(), Mean(), latent=2)
    return task, batch, *task.init(key, batch)


def test_losses_by_hand(fixed, key):
    """-log sigmoid(1) - log(1 - sigmoid(-2)), and for the generator -log sigmoid(-2)."""
    task, batch, params, extra = fixed
    value, aux = task.losses["discriminator"](params, extra, batch, key)
    np.testing.assert_allclose(value, 0.31326169 + 0.12692801, rtol=1e-6)  # float32
    np.testing.assert_allclose(aux.metrics["real"], 0.73105858, rtol=1e-6)
    np.testing.assert_allclose(aux.metrics["fake"], 0.11920292, rtol=1e-6)
    value, _ = task.losses["generator"](params, extra, batch, key)
    np.testing.assert_allclose(value, 2.12692801, rtol=1e-6)


def test_one_sided_smoothing_by_hand(fixed, key):
    """A target of 0.9 for real images alone: -0.9 log sigmoid(1) - 0.1 log(1 - sigmoid(1))."""
    _, batch, params, extra = fixed
    task = adversarial(Fixed(), Mean(), latent=2, real=0.9)
    value, _ = task.losses["discriminator"](params, extra, batch, key)
    np.testing.assert_allclose(value, 0.9 * 0.31326169 + 0.1 * 1.31326169 + 0.12692801, rtol=1e-6)
    value, _ = task.losses["generator"](params, extra, batch, key)
    np.testing.assert_allclose(value, 2.12692801, rtol=1e-6)


def test_the_generators_statistics_are_kept(fixed, key):
    """Both players make images: after either the mean has gone a tenth of the way from 0 to 3, and the
    variance from 1 to 0."""
    task, batch, params, extra = fixed
    for player, mean, var in (("discriminator", 0.3, 0.9), ("generator", 0.57, 0.81)):
        _, aux = task.losses[player](params, extra, batch, key)
        extra = aux.extra
        norm = extra["generator"]["batch_stats"]["norm"]
        np.testing.assert_allclose(norm["mean"], [mean], rtol=1e-6)
        np.testing.assert_allclose(norm["var"], [var], rtol=1e-6)
