"""Samplers of diffusion models. Ho et al. 2020, arXiv:2006.11239; Song et al. 2021 (DDIM),
arXiv:2010.02502; Lu et al. 2022 (DPM-Solver++), arXiv:2211.01095.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from dljax.tasks.noising import Schedule, linear_schedule
from dljax.types import Array, Key, PyTree


class Guess(NamedTuple):
    """A prediction with a variance of its own.

    Attributes:
        eps: like x_t.
        share: like x_t; the log variance of the step down is ``share`` of the way from the
            posterior's up to log beta (Nichol & Dhariwal 2021, equation 15).
    """

    eps: Array
    share: Array


Predict = Callable[
    [PyTree, Array, Array], Any
]  # (params, x_t [b, ...], t [b] int32) -> eps or Guess
Sampler = Callable[[PyTree, Key], Array]  # (params, key) -> images


def visited(schedule: Schedule, steps: int) -> np.ndarray:
    """Times from the last to the first, evenly spaced, int32 [steps]; 0 steps are all."""
    count = steps or schedule.steps
    # The last time always comes first: pure noise is an image of that time.
    spaced = np.linspace(0, schedule.steps - 1, max(count, 2))[::-1][:count]
    return np.round(spaced).astype(np.int32)


def _descent(
    step: Callable[[PyTree, Key, Any, Any], Any],
    visits: tuple[np.ndarray, ...],
    shape: tuple[int, ...],
    begin: Callable[[Array], Any] = lambda x: x,
    end: Callable[[Any], Array] = lambda state: state,
) -> Sampler:
    """The sampler that goes down from noise by ``step(params, key, state, visit) -> state``.

    Args:
        visits: arrays with a row for each step.
        begin: noise -> the first state.
        end: the last state -> images.
    """
    one = jax.jit(step)

    @jax.jit
    def scanned(params, rest, x):
        return end(lax.scan(lambda s, v: (step(params, rest, s, v), None), begin(x), visits)[0])

    def draw(params: PyTree, key: Key) -> Array:
        first, rest = jax.random.split(key)
        x = jax.random.normal(first, shape)
        if jax.default_backend() != "cpu":
            return scanned(params, rest, x)
        # XLA's CPU convolutions lose their threads inside a loop (jax#12868): a call a step there.
        state = begin(x)
        for visit in zip(*visits, strict=True):
            state = one(params, rest, state, visit)
        return end(state)

    return draw


def sampler(
    predict: Predict,
    shape: tuple[int, ...],
    *,
    schedule: Schedule | None = None,
    steps: int = 0,
    eta: float = 1.0,
    clip: float = 1.0,
) -> Sampler:
    """A function (params, key) -> images in -1..1, compiled when first called; do not jit it.

    With the predicted x_0 clipped to -1..1 and s < t the next time on the way down,

        x_s = sqrt(signal_s) x_0 + sqrt(1 - signal_s - sigma^2) eps + sigma noise
        sigma = eta sqrt((1 - signal_s) / (1 - signal_t)) sqrt(1 - signal_t / signal_s)

    (Song et al., equations 12 and 16). ``eta=1`` over all steps is DDPM's ancestral sampling with the
    posterior's variance; ``eta=0`` is DDIM, which is deterministic given the first noise and needs
    few steps. A predicted variance (``Guess``) takes the place of sigma^2 / eta^2 in the last term.

    Args:
        predict: (params, x_t, time) -> eps, e.g. the model with its averaged parameters.
        shape: of the images, [n, h, w, c].
        schedule: of the model's training; by default the paper's.
        steps: number of the schedule's times that are visited, evenly spaced from the last to the
            first (1 visits the last alone); 0 visits all.
        eta: share of fresh noise, 0..1.
        clip: bound of the predicted x_0, in place of 1; infinity where the data have none.
    """
    noising = schedule or linear_schedule()
    times = visited(noising, steps)
    signal_s = np.append(noising.signal[times[1:]], np.float32(1.0))
    visits = (times, noising.signal[times], signal_s, np.arange(len(times), dtype=np.int32))

    def step(params, rest, x, visit):
        time, here, there, index = visit
        guess = predict(params, x, jnp.full(shape[:1], time))
        eps = guess.eps if isinstance(guess, Guess) else guess
        image = jnp.clip((x - jnp.sqrt(1.0 - here) * eps) / jnp.sqrt(here), -clip, clip)
        eps = (x - jnp.sqrt(here) * image) / jnp.sqrt(1.0 - here)  # agrees with the clipped image
        sigma = eta * jnp.sqrt((1.0 - there) / (1.0 - here) * (1.0 - here / there))
        noise = jax.random.normal(jax.random.fold_in(rest, index), shape)
        spread = jnp.sqrt(jnp.maximum(1.0 - there - sigma**2, 0.0))
        if isinstance(guess, Guess):
            # beta^share posterior^(1 - share); without noise where nothing is left to undo.
            ratio = (1.0 - there) / (1.0 - here)
            learned = jnp.sqrt(
                (1.0 - here / there) * jnp.maximum(ratio, 1e-20) ** (1 - guess.share)
            )
            sigma = jnp.where(there < 1.0, eta * learned, 0.0)
        return jnp.sqrt(there) * image + spread * eps + sigma * noise

    return _descent(step, visits, shape)


def ancestral(predict: Predict, shape: tuple[int, ...], **options: Any) -> Sampler:
    """Ancestral sampling over every step, Ho et al. algorithm 2 (see ``sampler``)."""
    return sampler(predict, shape, eta=1.0, **options)


def ddim(predict: Predict, shape: tuple[int, ...], *, steps: int = 50, **options: Any) -> Sampler:
    """Deterministic sampling in few steps, Song et al. section 4.1 (see ``sampler``)."""
    return sampler(predict, shape, steps=steps, eta=0.0, **options)


def solver_steps(schedule: Schedule, times: np.ndarray) -> tuple[np.ndarray, ...]:
    """Coefficients of DPM-Solver++(2M) from each time to the next and at last to the image, float32.

    Returns:
        (a, b, c) of x_s = a x_t + b (x_0 + c (x_0 - x_0 of the step before)), [steps] each.
    """
    signal = np.append(schedule.signal[times].astype(np.float64), 1.0)
    kept, noisy = np.sqrt(signal), np.sqrt(1.0 - signal)
    with np.errstate(divide="ignore"):
        level = np.log(kept) - np.log(noisy)  # the paper's lambda; infinite at the image
    h = np.diff(level)
    a, b = noisy[1:] / noisy[:-1], -kept[1:] * np.expm1(-h)
    # No step comes before the first; the last goes infinitely far and is of first order.
    c = np.zeros_like(a)
    c[1:-1] = h[1:-1] / (2.0 * h[:-2])
    return tuple(x.astype(np.float32) for x in (a, b, c))


def dpm_solver(
    predict: Predict,
    shape: tuple[int, ...],
    *,
    schedule: Schedule | None = None,
    steps: int = 20,
    clip: float = 1.0,
) -> Sampler:
    """DPM-Solver++(2M), Lu et al. algorithm 2: deterministic, of second order, one evaluation a step.

    With lambda = log(sqrt(signal) / sqrt(1 - signal)), h its step and r the last step over h,

        D = (1 + 1 / 2r) x_0 - 1 / 2r (x_0 of the step before)
        x_s = sqrt((1 - signal_s) / (1 - signal_t)) x_t - sqrt(signal_s) (exp(-h) - 1) D

    Args:
        predict, shape, schedule, steps, clip: as of ``sampler``; a predicted variance is not used.
    """
    noising = schedule or linear_schedule()
    times = visited(noising, steps)
    visits = (times, noising.signal[times], *solver_steps(noising, times))

    def step(params, rest, state, visit):
        del rest
        x, before = state
        time, here, a, b, c = visit
        guess = predict(params, x, jnp.full(shape[:1], time))
        eps = guess.eps if isinstance(guess, Guess) else guess
        image = jnp.clip((x - jnp.sqrt(1.0 - here) * eps) / jnp.sqrt(here), -clip, clip)
        return a * x + b * (image + c * (image - before)), image

    return _descent(step, visits, shape, lambda x: (x, jnp.zeros_like(x)), lambda state: state[0])
