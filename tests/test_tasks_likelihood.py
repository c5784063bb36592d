"""The variational bound: improved-diffusion's own terms, and a model whose likelihood is known."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parity_rows import GOLDEN
from scipy.stats import norm

from dljax.tasks.diffusion import Noised, predictor
from dljax.tasks.likelihood import (
    bits_per_dimension,
    bound_term,
    decoded,
    learned_variance,
    normal_kl,
    posterior,
    prior_term,
)
from dljax.tasks.noising import Schedule, cosine_schedule, linear_schedule, q_sample
from dljax.tasks.samplers import Guess, ancestral
from dljax.types import Variables


def test_kl_and_decoder_by_hand():
    np.testing.assert_allclose(normal_kl(0.0, 0.0, 0.0, 0.0), 0.0)
    # KL(N(1, 1) || N(0, e)) = (1 - 0 + 1/e + 1/e - 1) / 2 = 1 / e
    np.testing.assert_allclose(normal_kl(1.0, 0.0, 0.0, 1.0), np.exp(-1), rtol=1e-6)
    # Three levels -1, 0, 1 of a standard normal are cut at -1/2 and 1/2: 0.30854, 0.38292, 0.30854.
    chance = np.exp(decoded(jnp.array([-1.0, 0.0, 1.0]), jnp.zeros(3), jnp.zeros(3), 3))
    np.testing.assert_allclose(chance, [0.3085375, 0.3829249, 0.3085375], rtol=1e-5)


def test_prior_by_hand():
    """x_T of 0.5 at signal 0.36 is N(0.3, 0.64): (0.64 + 0.09 - 1 - ln 0.64) / 2 nats, 0.12716 bits."""
    schedule = Schedule(np.full(1, 0.64, np.float32), np.full(1, 0.36, np.float32))
    found = prior_term(schedule, jnp.full((2, 3), 0.5))
    np.testing.assert_allclose(found, [0.127164] * 2, rtol=1e-5)


def test_posterior_by_hand():
    """beta 1/2, 1/2: x_1's posterior has the variance 1/2 x 1/2 / (3/4) = 1/3; at t = 0 that is kept."""
    clean, noisy, log_var = posterior(Schedule(np.full(2, 0.5), np.array([0.5, 0.25])))
    np.testing.assert_allclose(np.exp(log_var), [1 / 3, 1 / 3], rtol=1e-6)
    np.testing.assert_allclose(clean, [1.0, 0.5**1.5 / 0.75], rtol=1e-6)
    np.testing.assert_allclose(noisy, [0.0, 0.5**1.5 / 0.75], rtol=1e-6)


@pytest.fixture(scope="module")
def given():
    """Outputs, images and noises of improved-diffusion's own run, channels last."""
    file = np.load(GOLDEN / "improved_ddpm.npz")
    last = {k: np.moveaxis(file[k], 1, -1) for k in ("image", "noise", "output")}
    return {**{k: file[k] for k in file if k not in last}, **last}


class Fixed(nn.Module):
    """An output that is given, plus parameters that are 0."""

    output: tuple

    @nn.compact
    def __call__(self, x, time, *, train: bool):
        known = jnp.asarray(self.output)
        return known + self.param("shift", nn.initializers.zeros, known.shape)


def test_terms_of_improved_diffusion(given):
    schedule = cosine_schedule()
    image, noise, time = (jnp.asarray(given[k]) for k in ("image", "noise", "time"))
    seen = Noised(image, time, noise, q_sample(schedule, image, time, noise))
    eps, share = jnp.split(jnp.asarray(given["output"]), 2, axis=-1)
    guess = Guess(eps, (share + 1) / 2)
    # At time 0, the first two rows, its normal's distribution function is a tanh, within 3e-4 of the true one.
    # At time 1, 1 - signal is 1e-4, of a float32 rounded by 6e-8; and elsewhere less.
    tolerance = np.array([1e-3, 1e-3, 6e-4, 1e-5, 1e-5])
    for name, clip in (("vb", np.inf), ("clipped", 1.0)):
        found = np.asarray(bound_term(schedule, seen, guess, clip=clip))
        # Of a divergence near 0, the sum of terms of order 1, 3e-8 is rounding.
        wrong = np.maximum(abs(found - given[name]) - 3e-8, 0) / given[name]
        assert (wrong < tolerance).all(), (name, found, given[name])
    np.testing.assert_allclose(prior_term(schedule, image), given["prior"], atol=1e-7)


def test_bound_trains_the_variance_alone(key):
    """The gradient with respect to the noise is that of the squared error."""
    rng = np.random.default_rng(0)
    output = jnp.asarray(rng.normal(size=(4, 3, 3, 2)).astype(np.float32))
    task = learned_variance(Fixed(tuple(output.tolist())))
    batch = {"image": jnp.zeros((4, 3, 3, 1))}
    params, extra = task.init(key, batch)

    def value(params, name):
        loss, aux = task.losses["model"](params, extra, batch, key)
        return {"loss": loss, **aux.metrics}[name].value

    gradient = jax.grad(value)
    by = {n: gradient(params, n)["model"]["shift"] for n in ("loss", "simple", "bound")}
    np.testing.assert_array_equal(by["bound"][..., 0], 0)
    np.testing.assert_array_equal(by["loss"][..., 0], by["simple"][..., 0])
    np.testing.assert_array_equal(by["simple"][..., 1], 0)
    assert (by["bound"][..., 1] != 0).all()
    np.testing.assert_allclose(
        by["loss"][..., 1], 0.001 * by["bound"][..., 1], rtol=1e-5, atol=1e-10
    )
    total = value(params, "simple") + 0.001 * value(params, "bound")
    np.testing.assert_allclose(value(params, "loss"), total, rtol=1e-6)


def test_bound_of_a_gaussian_is_its_entropy(key):
    """Data N(0, 1/16) in bins of 1/128: with the exact eps and the exact variance of every step down the bound is
    minus the logarithm of the levels' own probability, the entropy in the mean: 7.05 bits."""
    schedule = linear_schedule(50, 1e-3, 0.2)
    beta, signal = schedule.beta.astype(float), schedule.signal.astype(float)
    variance = 1 - signal + signal / 16
    # Of x_{t-1} given x_t, both normal: what is shared of beta, between the posterior's and beta itself.
    down = np.append(1 / 16, variance[:-1]) * beta / variance
    low = posterior(schedule)[2]
    share = ((np.log(down) - low) / (np.log(beta) - low)).astype(np.float32)
    slope = (np.sqrt(1 - signal) / variance).astype(np.float32)

    def predict(params, x, time):
        eps = jnp.asarray(slope)[time][:, None] * x
        return Guess(eps, jnp.asarray(share)[time][:, None])

    image = jnp.clip(jnp.round(jax.random.normal(key, (4000, 1)) * 32), -128, 128) / 128
    bits = bits_per_dimension(predict, schedule, levels=257)(None, image, key)
    assert bits.shape == (4000, 51)
    level = np.asarray(image, float) * 4
    chance = norm.cdf(level + 1 / 64) - norm.cdf(level - 1 / 64)
    # One noise at each time adds 2.1 bits of deviation to an image's; four standard errors of 4000 images.
    np.testing.assert_allclose(bits.sum(1).mean(), -np.log2(chance).mean(), atol=0.13)


def test_samples_with_a_learned_variance(key):
    """Between the posterior's and beta: shares 0 are the sampler of fixed variance."""
    schedule = linear_schedule(4, 0.1, 0.3)
    output = jnp.zeros((2, 2, 2, 2)).at[..., 1].set(-1.0)
    model = Fixed(tuple(output.tolist()))
    task = learned_variance(model, (2, 2, 1), schedule=schedule)
    variables = Variables(*task.init(key, {"image": jnp.zeros((2, 2, 2, 1))}))
    fixed = ancestral(lambda p, x, t: jnp.zeros_like(x), (2, 2, 2, 1), schedule=schedule)
    made = task.sample(variables, key, 2)
    np.testing.assert_allclose(made, (fixed(None, key) + 1) / 2, atol=1e-5)
    guess = predictor(model, schedule, variance=True)(
        variables, jnp.ones((2, 2, 2, 1)), jnp.zeros(2, int)
    )
    np.testing.assert_array_equal(guess.share, 0)
