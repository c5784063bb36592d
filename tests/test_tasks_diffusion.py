"""Diffusion: noise with the paper's moments, and samplers with the exact answer."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax.tasks.diffusion import diffusion
from dljax.tasks.noising import Schedule, linear_schedule, q_sample
from dljax.tasks.samplers import ancestral, ddim
from dljax.types import Variables


def test_noising_has_the_moments_of_equation_4(key):
    schedule = linear_schedule()
    assert schedule.signal[0] == np.float32(1 - 1e-4)
    np.testing.assert_allclose(schedule.signal[-1], 4.0358e-5, rtol=1e-3)  # Ho et al.: x_T is noise
    image = jnp.full((100_000, 1), 0.7)
    for t in (0, 300, 999):
        time = jnp.full((100_000,), t)
        x = q_sample(schedule, image, time, jax.random.normal(key, image.shape))
        signal = schedule.signal[t]
        # Four standard errors of a mean and of a variance over 100,000 draws.
        np.testing.assert_allclose(x.mean(), 0.7 * np.sqrt(signal), atol=4 / np.sqrt(1e5))
        np.testing.assert_allclose(x.var(), 1 - signal, atol=4 * np.sqrt(2 / 1e5))


def gaussian(schedule, mean: float, std: float):
    """The exact eps for data that are N(mean, std^2)."""

    def predict(params, x, time):
        signal = jnp.asarray(schedule.signal)[time][:, None]
        return (x - jnp.sqrt(signal) * mean) * jnp.sqrt(1 - signal) / (1 - signal + signal * std**2)

    return predict


@pytest.mark.parametrize("kind, options", [(ancestral, {}), (ddim, {"steps": 500})])
def test_samplers_recover_a_gaussian(kind, options, key):
    """Data N(0.2, 0.15^2): given the exact eps, the samples have that mean and deviation."""
    schedule = linear_schedule()
    predict = gaussian(schedule, 0.2, 0.15)
    x = kind(predict, (4000, 1), schedule=schedule, **options)(None, key)
    # Four standard errors are 0.0095 and 0.0067. DDIM is Euler's method for an ODE, off by as much as
    # its steps are long: deviation 0.128 in 50 steps.
    np.testing.assert_allclose(x.mean(), 0.2, atol=0.01)
    np.testing.assert_allclose(x.std(), 0.15, atol=0.01)


@pytest.mark.parametrize("std", [0.3, 3.0])
def test_ancestral_step_is_equation_7(std, key):
    """One step down by hand: posterior mean and variance of Ho et al., equations 6 and 7, given the
    predicted image; where the data are wide, it is clipped."""
    schedule = linear_schedule(2, 0.1, 0.3)
    predict = gaussian(schedule, 0.0, std)
    beta, signal = schedule.beta.astype(float), schedule.signal.astype(float)
    first, rest = jax.random.split(key)
    x2 = np.asarray(jax.random.normal(first, (50, 1)), float)
    noise = np.asarray(jax.random.normal(jax.random.fold_in(rest, 0), (50, 1)), float)

    def clean(x, t):
        eps = np.asarray(predict(None, jnp.asarray(x, jnp.float32), jnp.full((50,), t)), float)
        return np.clip((x - np.sqrt(1 - signal[t]) * eps) / np.sqrt(signal[t]), -1, 1)

    mean = (
        np.sqrt(signal[0]) * beta[1] * clean(x2, 1) + np.sqrt(1 - beta[1]) * (1 - signal[0]) * x2
    ) / (1 - signal[1])
    variance = (1 - signal[0]) / (1 - signal[1]) * beta[1]
    x1 = mean + np.sqrt(variance) * noise
    assert ((abs(clean(x2, 1)) == 1) & (abs(clean(x1, 0)) < 1)).any() == (std > 1)
    sampled = ancestral(predict, (50, 1), schedule=schedule)(None, key)
    # The last step returns the clean image itself; float32 against float64.
    np.testing.assert_allclose(sampled, clean(x1, 0), atol=1e-5)


@pytest.mark.parametrize("steps", [1, 2, 3, 50, 999, 0])
def test_sampling_starts_from_the_last_time(steps, key):
    """Pure noise is an image of the last time and of no other; from there down to 0, evenly."""
    seen = []

    def predict(params, x, time):
        jax.debug.callback(lambda t: seen.append(int(t[0])), time, ordered=True)
        return x

    ddim(predict, (1, 1), steps=steps)(None, key)
    jax.effects_barrier()
    assert seen[0] == 999 and len(seen) == (steps or 1000)
    if len(seen) > 1:
        np.testing.assert_allclose(seen, np.linspace(999, 0, len(seen)), atol=0.5 + 1e-9)


def test_noising_by_hand():
    """beta 0.19 and 7/27: of the image's square 0.81 is left after one step, 0.6 after two."""
    schedule = Schedule(np.array([0.19, 7 / 27], np.float32), np.array([0.81, 0.6], np.float32))
    made = linear_schedule(2, 0.19, 7 / 27)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), made, schedule)
    image, noise = jnp.full((2, 1), 2.0), jnp.full((2, 1), -1.0)
    x = q_sample(schedule, image, jnp.array([0, 1]), noise)
    # 0.9 x 2 - sqrt(0.19), sqrt(0.6) x 2 - sqrt(0.4)
    np.testing.assert_allclose(x, [[1.36411011], [0.91673781]], rtol=1e-6)


class Inverts(nn.Module):
    """The noise in a black image at the time that is told, from the paper's own formula."""

    kept: tuple[float, ...] = tuple(np.cumprod(1 - np.linspace(1e-4, 0.02, 1000)))

    @nn.compact
    def __call__(self, x, time, *, train: bool):
        self.sow("seen", "time", time)
        deviation = jnp.sqrt(1 - jnp.array(self.kept))[time]
        scale = self.param("scale", nn.initializers.ones, ())
        return scale * x / deviation.reshape(-1, *[1] * (x.ndim - 1))


HALVES = Schedule(np.full(4, 0.5, np.float32), np.array([0.5, 0.25, 0.125, 0.0625], np.float32))


SCHEDULES = pytest.mark.parametrize(
    "model, schedule", [(Inverts(), None), (Inverts((0.5, 0.25, 0.125, 0.0625)), HALVES)]
)


@SCHEDULES
def test_the_network_is_told_the_time_of_its_noise(model, schedule, key):
    """With the right time the noise of a black image is known, and the loss is none."""
    task = diffusion(model, schedule=schedule)
    batch = {"image": jnp.zeros((512, 1))}
    params, extra = task.init(key, batch)
    for player in task.losses:
        loss, _ = task.losses[player](params, extra, batch, key)
        # The square of a few float32 roundings. A step later or sooner, about 1e-5 in the mean.
        assert loss.value < 1e-10
    assert task.evaluate(params, extra, batch, key)["loss"].value < 1e-10


def test_every_image_has_a_time_of_its_own(key):
    """Uniform over 0 to 999: the mean of 512 is 499.5, with a deviation of 289 / sqrt(512). Four."""
    task = diffusion(Inverts())
    batch = {"image": jnp.zeros((512, 1))}
    _, aux = task.losses["model"](*task.init(key, batch), batch, key)
    (*_, time) = aux.extra["model"]["seen"]["time"]
    assert 0 <= time.min() and time.max() <= 999 and len(set(time.tolist())) > 300
    np.testing.assert_allclose(time.mean(), 499.5, atol=4 * 289 / np.sqrt(512))


@SCHEDULES
@pytest.mark.parametrize("shape", [(1,), (2, 2, 1)])
def test_samples_are_in_0_to_1(shape, model, schedule, key):
    """All noise is noise on a black image, which is 0 in -1..1, where its level is that of training."""
    task = diffusion(model, shape, schedule=schedule)
    params, extra = task.init(key, {"image": jnp.zeros((1, *shape))})
    made = task.sample(Variables(params, extra), key, 3)
    np.testing.assert_allclose(made, np.full((3, *shape), 0.5), atol=1e-5)  # float32
