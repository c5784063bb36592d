"""Predictions, classes and fast samplers of diffusion: equalities, closed forms, another's trajectory."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parity_rows import GOLDEN

from dljax.tasks.diffusion import NO_CLASS, diffusion, predictor
from dljax.tasks.noising import (
    Schedule,
    cosine_schedule,
    linear_schedule,
    noise_of,
    q_sample,
    target,
)
from dljax.tasks.samplers import Guess, ancestral, ddim, dpm_solver, sampler
from dljax.types import Variables


def test_cosine_schedule():
    schedule = cosine_schedule()
    np.testing.assert_allclose(schedule.signal[-1], 2.4288e-9, rtol=1e-4)
    assert (schedule.beta == np.float32(0.999)).sum() == 1 and schedule.beta[-1] == np.float32(
        0.999
    )
    # Half way it is cos^2((1/2 + 0.008) / 1.008 pi / 2) / cos^2(0.008 / 1.008 pi / 2) = 0.49377 / 0.99984.
    np.testing.assert_allclose(schedule.signal[499], 0.493845, rtol=1e-4)


HALVES = Schedule(np.full(2, 0.5, np.float32), np.array([0.64, 0.36], np.float32))


@pytest.mark.parametrize("kind", ["eps", "x0", "v"])
def test_predictions_mean_the_same(kind):
    """x_0 = 2, eps = 1 at signals 0.64 and 0.36: v = 0.8 - 0.6 x 2 = -0.4 and 0.6 - 0.8 x 2 = -1."""
    image, noise, time = jnp.full((2, 1), 2.0), jnp.ones((2, 1)), jnp.arange(2)
    x = q_sample(HALVES, image, time, noise)
    right = target(kind, HALVES, image, time, noise)
    by_hand = {"eps": [1, 1], "x0": [2, 2], "v": [-0.4, -1]}[kind]
    np.testing.assert_allclose(right[:, 0], by_hand, rtol=1e-6)
    np.testing.assert_allclose(noise_of(kind, HALVES, x, time, right), noise, rtol=1e-6)


class Shifted(nn.Module):
    """Label + 10 where there is one, -7 where there is none, everywhere; twice the channels on request."""

    outputs: int = 1

    @nn.compact
    def __call__(self, x, time, label=None, *, train: bool):
        self.sow("seen", "label", label)
        shift = self.param("shift", nn.initializers.zeros, ())
        value = jnp.where(label == NO_CLASS, -7.0, label + 10.0) + shift
        return jnp.broadcast_to(value[:, None, None, None], (*x.shape[:-1], self.outputs))


@pytest.mark.parametrize(
    "scale, found", [(0.0, [-7, -7, -7]), (1.0, [10, 11, 10]), (3.0, [44, 47, 44])]
)
@pytest.mark.parametrize("variance", [False, True])
def test_guidance(scale, found, variance, key):
    """-7 + s (class + 10 + 7): with s = 3, 44 and 47; the variance's half is never guided."""
    model = Shifted(2 if variance else 1)
    x, time = jnp.zeros((3, 2, 2, 1)), jnp.zeros((3,), jnp.int32)
    params = {"model": {"shift": jnp.zeros(())}}
    predict = predictor(model, HALVES, classes=2, scale=scale, variance=variance)
    guess = predict(Variables(params, {"model": {}}), x, time)
    eps = guess.eps if variance else guess
    np.testing.assert_allclose(eps[:, 0, 0, 0], found)
    if variance:
        share = [-3, -3, -3] if scale == 0 else [5.5, 6, 5.5]  # (output + 1) / 2
        np.testing.assert_allclose(guess.share[:, 0, 0, 0], share)


@pytest.mark.parametrize("drop", [0.0, 0.25])
def test_labels_are_hidden_in_training_alone(drop, key):
    task = diffusion(Shifted(), classes=4, drop=drop)
    label = jnp.arange(4000) % 4
    batch = {"image": jnp.zeros((4000, 1, 1, 1)), "label": label}
    params, extra = task.init(key, batch)
    _, aux = task.losses["model"](params, extra, batch, key)
    (*_, seen) = aux.extra["model"]["seen"]["label"]
    hidden = np.asarray(seen) == NO_CLASS
    np.testing.assert_array_equal(np.asarray(seen)[~hidden], np.asarray(label)[~hidden])
    # Four standard errors of a share of 4000.
    np.testing.assert_allclose(hidden.mean(), drop, atol=4 * np.sqrt(drop * (1 - drop) / 4000))
    # eps is N(0, 1) and the output label + 10: the loss is 1 + mean of (10..13)^2 = 134.5, if none is hidden.
    loss = task.evaluate(params, extra, batch, key)["loss"].value
    np.testing.assert_allclose(loss, 134.5, atol=4 * 23.4 / np.sqrt(4000))


class FirstWord(nn.Module):
    """The number of a caption's first word, everywhere."""

    @nn.compact
    def __call__(self, x, time, caption, *, train: bool):
        self.sow("seen", "caption", caption)
        shift = self.param("shift", nn.initializers.zeros, ())
        return jnp.zeros_like(x) + caption[:, :1, None, None] + shift


def test_captions_are_hidden_whole_and_asked_for_in_turn(key):
    task = diffusion(FirstWord(), told="caption", drop=0.25)
    caption = jnp.stack([jnp.arange(400) % 4, jnp.full(400, 5)], 1)
    batch = {"image": jnp.zeros((400, 1, 1, 1)), "caption": caption}
    params, extra = task.init(key, batch)
    _, aux = task.losses["model"](params, extra, batch, key)
    seen = np.asarray(aux.extra["model"]["seen"]["caption"][-1])
    hidden = (seen == NO_CLASS).all(1)
    np.testing.assert_array_equal(seen[~hidden], caption[~hidden])
    np.testing.assert_allclose(hidden.mean(), 0.25, atol=4 * np.sqrt(0.25 * 0.75 / 400))
    predict = predictor(FirstWord(), HALVES, told=np.array([[7, 1], [9, 1]]), scale=3.0)
    eps = predict(Variables(params, {"model": {}}), jnp.zeros((3, 1, 1, 1)), jnp.zeros(3, int))
    # -1 where none is told, and three times the way from there: -1 + 3 (7 + 1) and -1 + 3 (9 + 1).
    np.testing.assert_allclose(eps[:, 0, 0, 0], [23, 29, 23])


@pytest.mark.parametrize("kind, expected, spread", [("x0", 144.0, 0.0), ("v", 144.5, 17.0)])
def test_loss_of_other_predictions(kind, expected, spread, key):
    """A network that says label + 10 = 12 of black images: of x_0, 144; of v = 0.8 or 0.6 eps, 144.5."""
    task = diffusion(Shifted(), schedule=HALVES, prediction=kind, classes=3)
    batch = {"image": jnp.zeros((20000, 1, 1, 1)), "label": jnp.full((20000,), 2)}
    loss = task.evaluate(*task.init(key, batch), batch, key)["loss"].value
    # (12 - v)^2 with v = s eps has the mean 144 + s^2, and s^2 the mean of 0.64 and 0.36; deviation 17.
    np.testing.assert_allclose(loss, expected, atol=4 * spread / np.sqrt(20000) + 1e-3)


def test_solver_goes_where_diffusers_does(monkeypatch):
    """DPMSolverMultistepScheduler in ten steps at our times, with eps = tanh(x + t / 1000), unclipped."""
    golden = np.load(GOLDEN / "improved_ddpm.npz")["solved"]
    draw = dpm_solver(
        lambda params, x, time: jnp.tanh(x + time[:, None] / 1000),
        (9, 1),
        steps=10,
        clip=np.inf,
    )
    start = jnp.linspace(-2, 2, 9)[:, None]
    monkeypatch.setattr(jax.random, "normal", lambda key, shape: start)
    made = draw(None, jax.random.key(0))
    # Steps divide by sqrt(signal) = 0.0064, of a float32 signal and of a float32 1 - signal there.
    np.testing.assert_allclose(made, golden[-1], rtol=1e-4, atol=1e-4)


def ode_errors(kind, counts, key):
    """Errors against the exact solution for data N(0.2, 1.5^2), in a schedule even in its lambda."""
    level = np.linspace(2.5, -3.0, 3201)
    signal = 1 / (1 + np.exp(-2 * level))
    schedule = Schedule(
        (1 - signal / np.append(1, signal[:-1])).astype(np.float32), signal.astype(np.float32)
    )

    def deviation(signal):
        return np.sqrt(1 - signal + signal * 1.5**2)

    def predict(params, x, time):
        here = jnp.asarray(schedule.signal)[time][:, None]
        return (x - jnp.sqrt(here) * 0.2) * jnp.sqrt(1 - here) / (1 - here + here * 1.5**2)

    first = np.asarray(jax.random.normal(jax.random.split(key)[0], (64, 1)), float)
    # Along the flow (x - sqrt(signal) mean) / deviation stays; of x_0 at the first time, its mean given x.
    score = (first - np.sqrt(signal[-1]) * 0.2) / deviation(signal[-1])
    x = np.sqrt(signal[0]) * 0.2 + deviation(signal[0]) * score
    gain = np.sqrt(signal[0]) * 1.5**2 / deviation(signal[0]) ** 2
    exact = 0.2 + gain * (x - np.sqrt(signal[0]) * 0.2)
    return [
        np.abs(
            kind(predict, (64, 1), schedule=schedule, steps=n + 1, clip=np.inf)(None, key) - exact
        ).mean()
        for n in counts
    ]


def test_solver_is_of_second_order(key):
    """Half the step, a quarter of the error; DDIM's is halved."""
    fast, slow = (ode_errors(kind, (20, 40, 80), key) for kind in (dpm_solver, ddim))
    ratios = [a[i] / a[i + 1] for a in (fast, slow) for i in (0, 1)]
    np.testing.assert_allclose(ratios[:2], 4.0, atol=0.15)
    np.testing.assert_allclose(ratios[2:], 2.0, atol=0.1)
    assert fast[0] < slow[0] / 5


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_learned_variance_lies_between_the_posterior_and_beta(share, key):
    """One step down of two, by hand: beta~ = 0.1 / 0.37 x 0.3, or beta = 0.3; none at the last."""
    schedule = linear_schedule(2, 0.1, 0.3)
    options = {"schedule": schedule, "clip": np.inf}

    def predict(params, x, time):
        return Guess(jnp.zeros_like(x), jnp.full_like(x, share))

    made = ancestral(predict, (5, 1), **options)(None, key)
    still = sampler(lambda params, x, time: jnp.zeros_like(x), (5, 1), eta=1.0, **options)
    noise = jax.random.normal(jax.random.fold_in(jax.random.split(key)[1], 0), (5, 1))
    low, high = np.sqrt(0.1 / 0.37 * 0.3), np.sqrt(0.3)
    # The last step divides by sqrt(0.9).
    extra = noise * (high - low if share else 0.0) / np.sqrt(0.9)
    np.testing.assert_allclose(made - still(None, key), extra, atol=2e-6)
