"""Two players: the energy distance between samples, and losses by hand."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dljax import learn
from dljax.analysis.distances import energy_distance
from dljax.nn import batch_norm
from dljax.tasks.adversarial import adversarial, clipped, slopes, wasserstein
from dljax.types import Variables


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


def test_wasserstein_losses_by_hand(key):
    """Real images have the number 1, made ones -2, with no sigmoid: -2 - 1, and 2."""
    batch = {"image": jnp.ones((4, 1))}
    task = adversarial(Fixed(), Mean(), latent=2, game=wasserstein())
    params, extra = task.init(key, batch)
    value, aux = task.losses["discriminator"](params, extra, batch, key)
    assert value == -3 and set(aux.metrics) == {"distance"}
    assert task.losses["generator"](params, extra, batch, key)[0] == 2
    assert task.evaluate(params, extra, batch, key)["distance"].value == 3
    held = adversarial(Fixed(), Mean(), latent=2, game=wasserstein(drift=0.5))
    assert held.losses["discriminator"](params, extra, batch, key)[0] == -3 + 0.5


class Linear(nn.Module):
    """(3, 4) . x, for every pixel pair of an image."""

    @nn.compact
    def __call__(self, image, *, train: bool):
        weight = self.param("weight", lambda key: jnp.array([3.0, 4.0]))
        return jnp.reshape(image, (len(image), -1)) @ jnp.tile(weight, image[0].size // 2)


class Copies(nn.Module):
    """The noise as an image, [b, 2, 1] or [b, 2]."""

    shape: tuple[int, ...] = (2, 1)

    @nn.compact
    def __call__(self, noise, *, train: bool):
        scale = self.param("scale", nn.initializers.ones, ())
        return jnp.reshape(scale * noise, (len(noise), *self.shape))


def test_the_penalty_of_a_linear_critic_by_hand(key):
    """Its slope is |(3, 4)| = 5 everywhere, over all dimensions of an image: (5 - 1)^2 = 16, times 10."""
    batch = {"image": jax.random.normal(key, (6, 2, 1))}
    values = []
    for weight in (0.0, 10.0):
        task = adversarial(Copies(), Linear(), latent=2, game=wasserstein(weight))
        params, extra = task.init(key, batch)
        value, aux = task.losses["discriminator"](params, extra, batch, key)
        values.append(value)
    np.testing.assert_allclose(values[1] - values[0], 160, rtol=1e-6)
    np.testing.assert_allclose(aux.metrics["slope"], 5, rtol=1e-6)


def test_slopes_are_of_each_example_between_real_and_made(key):
    """Of sum(x^2) / 2 the slope is |x|; of a flat critic it is 0, and so is the penalty's own gradient."""
    x = jax.random.normal(key, (5, 2, 3))
    found = slopes(lambda x: jnp.sum(x**2, (1, 2)) / 2, x)
    norms = np.linalg.norm(np.asarray(x).reshape(5, 6), axis=1)
    np.testing.assert_allclose(found, norms, rtol=1e-6)
    flat = jax.value_and_grad(lambda w: jnp.sum(slopes(lambda x: w * x[:, 0, 0], x)))
    assert flat(0.0) == (0, 0)

    class Norm(nn.Module):
        @nn.compact
        def __call__(self, image, *, train: bool):
            scale = self.param("scale", nn.initializers.ones, ())
            return scale * jnp.sum(image**2, 1) / 2

    # Real at 1 and made at -2: all slopes lie within 0..2, one part of the way for every example.
    batch = {"image": jnp.ones((400, 1))}
    task = adversarial(Fixed(), Norm(), latent=2, game=wasserstein(10.0))
    _, aux = task.losses["discriminator"](*task.init(key, batch), batch, key)
    # |1 - 3 u|: (1/9 + 4/9) * 3/2 in the mean, with a deviation of 0.55; four standard errors.
    np.testing.assert_allclose(aux.metrics["slope"], 5 / 6, atol=4 * 0.55 / 20)


@pytest.mark.parametrize("every", [1, 3])
def test_the_critic_is_clipped_after_every_step_of_its_own(every, key):
    """SGD of rate 1 on -3, 1 per weight: 0.01 at once; the generator moves in every third step, unclipped."""
    batch = {"image": jnp.ones((4, 2, 1))}
    task = adversarial(Copies(), Linear(), latent=2, game=wasserstein())
    rates = {"discriminator": clipped(optax.sgd(1.0), 0.01), "generator": optax.sgd(1.0)}
    learner = learn(task, rates, every={"generator": every})
    state = learner.init(key, batch)
    for step in range(1, 4):
        before, (state, _) = state, learner.update(state, batch)
        weight = state.params["discriminator"]["weight"]
        np.testing.assert_array_less(np.abs(weight), 0.01 + 1e-8)
        assert np.abs(weight).max() > 0.0099
        moved = before.params["generator"]["scale"] != state.params["generator"]["scale"]
        assert moved == (step % every == 0)


class Told(nn.Module):
    """A label times a scale, after any input."""

    image: bool = False

    @nn.compact
    def __call__(self, given, label, *, train: bool):
        out = self.param("scale", nn.initializers.ones, ()) * label
        return out[:, None] + 0 * given[:, :1] if self.image else out + 0 * given[:, 0]


def test_labels_are_told_to_both_players(key):
    """Made images are their label, and the critic says the label that it is told."""
    batch = {"image": jnp.zeros((3, 1)), "label": jnp.array([0, 1, 5])}
    task = adversarial(Told(image=True), Told(), latent=2, game=wasserstein(), low=0.0, classes=4)
    params, extra = task.init(key, batch)
    for player, by_hand in (("discriminator", 2 - 2), ("generator", -2)):
        assert task.losses[player](params, extra, batch, key)[0] == by_hand
    made = task.sample(Variables(params, extra), key, 6)
    np.testing.assert_array_equal(made[:, 0], [0, 1, 2, 3, 0, 1])


@pytest.mark.parametrize("low, shown", [(-1.0, -0.5), (0.0, -2.0)])
def test_samples_are_scaled_from_black(fixed, low, shown, key):
    """-2, where black is -1 or 0 and white 1."""
    _, batch, params, extra = fixed
    task = adversarial(Fixed(), Mean(), latent=2, low=low)
    np.testing.assert_allclose(task.sample(Variables(params, extra), key, 2), shown)
