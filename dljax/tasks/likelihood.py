"""The variational bound of a diffusion model, and variances learned by it. Nichol & Dhariwal 2021,
arXiv:2102.09672; the decoder of Ho et al. 2020, arXiv:2006.11239, section 3.3.
"""

import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm

from dljax.tasks.diffusion import Noised, denoising, per_image, sampling
from dljax.tasks.noising import Schedule, like, linear_schedule, q_sample, shares
from dljax.tasks.samplers import Guess, Predict, Sampler, ancestral
from dljax.types import Array, Key, PyTree, Task

BOUND_WEIGHT = 0.001  # lambda of L_hybrid, section 3.1


def normal_kl(mean: Array, log_var: Array, other: Array, other_log_var: Array) -> Array:
    """KL(N(mean, exp(log_var)) || N(other, exp(other_log_var))) in nats, elementwise."""
    apart = (mean - other) ** 2 * jnp.exp(-other_log_var)
    return 0.5 * (other_log_var - log_var + jnp.exp(log_var - other_log_var) + apart - 1.0)


def decoded(image: Array, mean: Array, log_var: Array, levels: int = 256) -> Array:
    """Log-probability in nats of pixels' levels under a normal cut into as many bins, elementwise.

    Ho et al., equation 13: a bin reaches half a level to either side, those of -1 and 1 to infinity.

    Args:
        image: in -1..1, on ``levels`` values evenly spaced.
        mean, log_var: of the normal.
    """
    deviation, half = jnp.exp(0.5 * log_var), 1.0 / (levels - 1)
    above = jnp.where(image > 1.0 - half, 1.0, norm.cdf((image - mean + half) / deviation))
    below = jnp.where(image < half - 1.0, 0.0, norm.cdf((image - mean - half) / deviation))
    return jnp.log(jnp.maximum(above - below, 1e-12))


def posterior(schedule: Schedule) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of q(x_{t-1} | x_t, x_0), Ho et al. equations 6 and 7, float32 [T] each.

    Returns:
        (the mean's share of x_0, its share of x_t, the log variance). The variance at t = 0 is none;
        there the log is the next time's, as in improved-diffusion.
    """
    beta = schedule.beta.astype(np.float64)
    signal = np.cumprod(1.0 - beta)
    before = np.append(1.0, signal[:-1])
    variance = beta * (1.0 - before) / (1.0 - signal)
    variance[0] = variance[min(1, len(beta) - 1)]
    clean = beta * np.sqrt(before) / (1.0 - signal)
    noisy = (1.0 - before) * np.sqrt(1.0 - beta) / (1.0 - signal)
    return tuple(x.astype(np.float32) for x in (clean, noisy, np.log(variance)))  # type: ignore[return-value]


def bound_term(
    schedule: Schedule, seen: Noised, guess: Guess, *, levels: int = 256, clip: float = math.inf
) -> Array:
    """The bound's term L_{t-1} of each image, in bits per dimension [b].

    KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)), at t = 0 minus log p(x_0 | x_1) (``decoded``). The log
    variance of p is ``guess.share`` of the way from the posterior's to log beta, equation 15.

    Args:
        levels: of the pixels.
        clip: bound of the predicted x_0.
    """
    clean, noisy, low = (like(jnp.asarray(x)[seen.time], seen.x) for x in posterior(schedule))
    high = like(jnp.log(jnp.asarray(schedule.beta))[seen.time], seen.x)
    kept, spread = shares(schedule, seen.time, seen.x)
    image = jnp.clip((seen.x - spread * guess.eps) / kept, -clip, clip)
    right, mean = (clean * x + noisy * seen.x for x in (seen.image, image))
    log_var = low + guess.share * (high - low)
    kl = per_image(normal_kl(right, low, mean, log_var))
    decoder = -per_image(decoded(seen.image, mean, log_var, levels))
    return jnp.where(seen.time == 0, decoder, kl) / math.log(2)


def prior_term(schedule: Schedule, image: Array) -> Array:
    """KL(q(x_T | x_0) || N(0, 1)) of each image, in bits per dimension [b]."""
    signal = schedule.signal[-1]
    log_var = jnp.log1p(-signal)
    return per_image(normal_kl(np.sqrt(signal) * image, log_var, 0.0, 0.0)) / math.log(2)  # type: ignore[arg-type]


def learned_variance(
    model: nn.Module,
    shape: tuple[int, ...] | None = None,
    *,
    schedule: Schedule | None = None,
    levels: int = 256,
    kind: Callable[..., Sampler] = ancestral,
) -> Task:
    """The hybrid loss L_simple + 0.001 L_vlb, equation 16; L_vlb trains the variance alone.

    L_vlb is T times its term at the image's time, in bits per dimension, and its gradient stops at
    the predicted noise (section 3.1).

    Args:
        model: called as ``model(x_t, time [b] int32, train=...)``; its output has twice the image's
            channels: the noise, then the variance's share in -1..1 for 0..1.
        shape: of one image, [h, w, c]; where it is given the task samples.
        schedule: of the noise; by default DDPM's.
        levels: of the pixels in -1..1.
        kind: the sampler.

    Batch: ``image`` [b, ..., c] in -1..1. Evaluation: ``loss``, its terms ``simple`` and ``bound`` (L_vlb).
    """
    noising = schedule or linear_schedule()

    def measured(output, seen: Noised):
        eps, share = jnp.split(output, 2, axis=-1)
        guess = Guess(jax.lax.stop_gradient(eps), (share + 1) / 2)
        bound = noising.steps * bound_term(noising, seen, guess, levels=levels)
        simple = per_image((eps - seen.noise.astype(jnp.float32)) ** 2)
        return {"loss": simple + BOUND_WEIGHT * bound, "simple": simple, "bound": bound}

    made = None
    if shape is not None:
        made = sampling(model, shape, kind, schedule=noising, network={"variance": True})
    return denoising(model, noising, measured, sample=made)


def bits_per_dimension(
    predict: Predict, schedule: Schedule, *, levels: int = 256
) -> Callable[[PyTree, Array, Key], Any]:
    """The whole bound: (variables, image [b, ...] in -1..1, key) -> bits per dimension, [b, T + 1].

    Column t is L_t at one noise, with the predicted x_0 clipped to -1..1; the last is the prior's.
    Their sum over columns bounds the negative log-likelihood from above, in expectation.

    Args:
        predict: of ``diffusion.predictor``, which gives a ``Guess``.
    """

    @jax.jit
    def term(variables, image, key, time):
        times = jnp.full(image.shape[:1], time)
        noise = jax.random.normal(jax.random.fold_in(key, time), image.shape)
        seen = Noised(image, times, noise, q_sample(schedule, image, times, noise))
        guess = predict(variables, seen.x, times)
        return bound_term(schedule, seen, guess, levels=levels, clip=1.0)

    def bound(variables, image, key):
        terms = [term(variables, image, key, time) for time in range(schedule.steps)]
        return jnp.stack([*terms, prior_term(schedule, image)], axis=1)

    return bound
