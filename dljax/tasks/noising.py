"""Noise schedules, and the three things that a network may predict of a noised image."""

import math
from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np

from dljax.types import Array

Prediction = Literal["eps", "x0", "v"]


class Schedule(NamedTuple):
    """A noise schedule: beta_t and the product of (1 - beta) up to t, float32 [T]; t counts from 0."""

    beta: np.ndarray
    signal: np.ndarray  # the paper's alpha-bar

    @property
    def steps(self) -> int:
        """T, the number of times."""
        return len(self.beta)


def schedule_of(beta: np.ndarray) -> Schedule:
    """The schedule of some betas, float64 [T]."""
    return Schedule(beta.astype(np.float32), np.cumprod(1.0 - beta).astype(np.float32))


def linear_schedule(steps: int = 1000, low: float = 1e-4, high: float = 0.02) -> Schedule:
    """A schedule whose beta rises linearly from ``low`` to ``high``, Ho et al. section 4."""
    return schedule_of(np.linspace(low, high, steps))


def cosine_schedule(steps: int = 1000, offset: float = 0.008, most: float = 0.999) -> Schedule:
    """A schedule whose signal falls as a squared cosine. Nichol & Dhariwal 2021, arXiv:2102.09672.

        signal_t = f(t) / f(0),  f(t) = cos^2((t / T + offset) / (1 + offset) pi / 2)

    (equation 17, there with t from 1), each beta at most ``most``: it binds at the last time alone.
    """
    at = np.arange(steps + 1) / steps
    level = np.cos((at + offset) / (1 + offset) * math.pi / 2) ** 2
    return schedule_of(np.minimum(1.0 - level[1:] / level[:-1], most))


def like(per_example: Array, x: Array) -> Array:
    """[b] -> [b, 1, ...], in x's type."""
    return per_example.reshape(-1, *[1] * (x.ndim - 1)).astype(x.dtype)


def shares(schedule: Schedule, time: Array, x: Array) -> tuple[Array, Array]:
    """sqrt(signal_t) and sqrt(1 - signal_t) of x_t = first x_0 + second eps, [b, 1, ...] in x's type."""
    signal = jnp.asarray(schedule.signal)[time]
    return like(jnp.sqrt(signal), x), like(jnp.sqrt(1.0 - signal), x)


def q_sample(schedule: Schedule, image: Array, time: Array, noise: Array) -> Array:
    """Noised images x_t = sqrt(signal_t) x_0 + sqrt(1 - signal_t) eps, Ho et al. equation 4.

    Args:
        image: x_0 [b, ...].
        time: t, integers [b].
        noise: eps, of ``image``'s shape.
    """
    kept, noisy = shares(schedule, time, image)
    return kept * image + noisy * noise


def target(kind: Prediction, schedule: Schedule, image: Array, time: Array, noise: Array) -> Array:
    """The right prediction for ``q_sample(schedule, image, time, noise)``, of ``image``'s shape.

    "v" is the velocity sqrt(signal_t) eps - sqrt(1 - signal_t) x_0, Salimans & Ho 2022,
    arXiv:2202.00512, appendix D.
    """
    if kind == "eps":
        return noise
    if kind == "x0":
        return image
    kept, noisy = shares(schedule, time, image)
    return kept * noise - noisy * image


def noise_of(kind: Prediction, schedule: Schedule, x: Array, time: Array, guess: Array) -> Array:
    """The eps that a prediction means, given x_t.

    of x_0:  (x_t - sqrt(signal_t) x_0) / sqrt(1 - signal_t)
    of v:    sqrt(signal_t) v + sqrt(1 - signal_t) x_t
    """
    if kind == "eps":
        return guess
    kept, noisy = shares(schedule, time, x)
    return (x - kept * guess) / noisy if kind == "x0" else kept * guess + noisy * x
