"""Denoising diffusion and its samplers. Ho et al. 2020, arXiv:2006.11239; Song et al. 2021 (DDIM),
arXiv:2010.02502.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from dljax import axes
from dljax.tasks.linen import forward, initialize
from dljax.tasks.supervised import MODEL, means, weights
from dljax.types import Array, Aux, Key, Mean, PyTree, Sample, Task

Predict = Callable[[PyTree, Array, Array], Array]  # (params, x_t [b, ...], t [b] int32) -> eps
Sampler = Callable[[PyTree, Key], Array]  # (params, key) -> images


class Schedule(NamedTuple):
    """A noise schedule: beta_t and the product of (1 - beta) up to t, float32 [T]; t counts from 0."""

    beta: np.ndarray
    signal: np.ndarray  # the paper's alpha-bar

    @property
    def steps(self) -> int:
        """T, the number of times."""
        return len(self.beta)


def linear_schedule(steps: int = 1000, low: float = 1e-4, high: float = 0.02) -> Schedule:
    """A schedule whose beta rises linearly from ``low`` to ``high``, Ho et al. section 4."""
    beta = np.linspace(low, high, steps)
    return Schedule(beta.astype(np.float32), np.cumprod(1.0 - beta).astype(np.float32))


def _like(per_example: Array, x: Array) -> Array:
    """[b] -> [b, 1, ...], in x's type."""
    return per_example.reshape(-1, *[1] * (x.ndim - 1)).astype(x.dtype)


def q_sample(schedule: Schedule, image: Array, time: Array, noise: Array) -> Array:
    """Noised images x_t = sqrt(signal_t) x_0 + sqrt(1 - signal_t) eps, equation 4.

    Args:
        image: x_0 [b, ...].
        time: t, integers [b].
        noise: eps, of ``image``'s shape.
    """
    signal = jnp.asarray(schedule.signal)[time]
    return _like(jnp.sqrt(signal), image) * image + _like(jnp.sqrt(1.0 - signal), image) * noise


def diffusion(
    model: nn.Module, shape: tuple[int, ...] | None = None, *, schedule: Schedule | None = None
) -> Task:
    """Mean squared error of the predicted noise at a random time: L_simple, equation 14.

    Args:
        model: called as ``model(x_t, time [b] int32, train=...) -> eps`` of ``x_t``'s shape.
        shape: of one image, [h, w, c]; where it is given the task samples, by DDIM in 50 steps.
        schedule: of the noise; by default the paper's, 1000 times.

    Batch: ``image`` [b, ...] in -1..1. Evaluation: ``loss`` at one time and one noise per image.
    """
    noising = schedule or linear_schedule()

    def init(key, batch):
        image = batch["image"]
        time = jnp.zeros((image.shape[0],), jnp.int32)
        return initialize(key, {MODEL: (model, (image, time))})

    def errors(params, extra, batch, key, train: bool):
        time_key, noise_key, model_key = jax.random.split(key, 3)
        image = batch["image"]
        time = axes.uniform_integers(time_key, image.shape[:1], noising.steps)
        noise = axes.normal(noise_key, image.shape).astype(image.dtype)
        guess, changed = forward(
            model,
            params[MODEL],
            extra[MODEL],
            q_sample(noising, image, time, noise),
            time,
            key=model_key,
            train=train,
        )
        error = (guess.astype(jnp.float32) - noise.astype(jnp.float32)) ** 2
        return jnp.mean(error, axis=tuple(range(1, error.ndim))), changed

    def loss(params, extra, batch, key):
        error, changed = errors(params, extra, batch, key, True)
        return Mean.of(error, weights(batch)), Aux({}, {**extra, MODEL: changed})

    def evaluate(params, extra, batch, key):
        return means({"loss": errors(params, extra, batch, key, False)[0]}, batch)

    made = None if shape is None else sampling(model, shape, ddim, schedule=noising)
    return Task(init, {MODEL: loss}, evaluate, sample=made)


def sampling(
    model: nn.Module, shape: tuple[int, ...], kind: Callable[..., Sampler], **options: Any
) -> Sample:
    """The ``sample`` of a diffusion task: images of ``shape`` [h, w, c] in 0..1.

    Args:
        kind: ``ddim`` or ``ancestral``.
        options: of ``kind``.
    """

    def predict(variables, x, time):
        given = variables.params[MODEL], variables.extra[MODEL]
        return forward(model, *given, x, time, key=None, train=False)[0]

    @cache
    def of(n: int) -> Sampler:
        return kind(predict, (n, *shape), **options)

    return lambda variables, key, n: (of(n)(variables, key) + 1) / 2


def sampler(
    predict: Predict,
    shape: tuple[int, ...],
    *,
    schedule: Schedule | None = None,
    steps: int = 0,
    eta: float = 1.0,
) -> Sampler:
    """A function (params, key) -> images in -1..1, compiled when first called; do not jit it.

    With the predicted x_0 clipped to -1..1 and s < t the next time on the way down,

        x_s = sqrt(signal_s) x_0 + sqrt(1 - signal_s - sigma^2) eps + sigma noise
        sigma = eta sqrt((1 - signal_s) / (1 - signal_t)) sqrt(1 - signal_t / signal_s)

    (Song et al., equations 12 and 16). ``eta=1`` over all steps is DDPM's ancestral sampling with the
    posterior's variance; ``eta=0`` is DDIM, which is deterministic given the first noise and needs
    few steps.

    Args:
        predict: (params, x_t, time) -> eps, e.g. the model with its averaged parameters.
        shape: of the images, [n, h, w, c].
        schedule: of the model's training; by default the paper's.
        steps: number of the schedule's times that are visited, evenly spaced from the last to the
            first (1 visits the last alone); 0 visits all.
        eta: share of fresh noise, 0..1.
    """
    noising = schedule or linear_schedule()
    count = steps or noising.steps
    # The last time always comes first: pure noise is an image of that time.
    spaced = np.linspace(0, noising.steps - 1, max(count, 2))[::-1][:count]
    times = np.round(spaced).astype(np.int32)
    signal_s = np.append(noising.signal[times[1:]], np.float32(1.0))
    visits = (times, noising.signal[times], signal_s, np.arange(count, dtype=np.int32))

    def step(params, rest, x, visit):
        time, here, there, index = visit
        eps = predict(params, x, jnp.full(shape[:1], time))
        image = jnp.clip((x - jnp.sqrt(1.0 - here) * eps) / jnp.sqrt(here), -1.0, 1.0)
        eps = (x - jnp.sqrt(here) * image) / jnp.sqrt(1.0 - here)  # agrees with the clipped image
        sigma = eta * jnp.sqrt((1.0 - there) / (1.0 - here) * (1.0 - here / there))
        noise = jax.random.normal(jax.random.fold_in(rest, index), shape)
        spread = jnp.sqrt(jnp.maximum(1.0 - there - sigma**2, 0.0))
        return jnp.sqrt(there) * image + spread * eps + sigma * noise

    one = jax.jit(step)

    @jax.jit
    def scanned(params, rest, x):
        return lax.scan(lambda x, v: (step(params, rest, x, v), None), x, visits)[0]

    def draw(params: PyTree, key: Key) -> Array:
        first, rest = jax.random.split(key)
        x = jax.random.normal(first, shape)
        if jax.default_backend() != "cpu":
            return scanned(params, rest, x)
        # XLA's CPU convolutions lose their threads inside a loop (jax#12868): a call a step there.
        for visit in zip(*visits, strict=True):
            x = one(params, rest, x, visit)
        return x

    return draw


def ancestral(predict: Predict, shape: tuple[int, ...], **options) -> Sampler:
    """Ancestral sampling over every step, Ho et al. algorithm 2 (see ``sampler``)."""
    return sampler(predict, shape, eta=1.0, **options)


def ddim(predict: Predict, shape: tuple[int, ...], *, steps: int = 50, **options) -> Sampler:
    """Deterministic sampling in few steps, Song et al. section 4.1 (see ``sampler``)."""
    return sampler(predict, shape, steps=steps, eta=0.0, **options)
