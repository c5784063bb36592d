"""Diffusion in the latents of a fixed autoencoder. Rombach et al. 2022, arXiv:2112.10752, section 3."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from dljax.errors import UserError
from dljax.learner import Start, State
from dljax.tasks.diffusion import diffusion, drawing
from dljax.tasks.players import called, resting_on
from dljax.tasks.reconstruction import lightly_regularized
from dljax.tasks.samplers import dpm_solver
from dljax.tasks.supervised import MODEL
from dljax.types import Array, Batch, Extra, Key, Sample, Task, Variables

CODER = "autoencoder"  # name of the fixed player
_SCALE = "latents"  # its collection of one number, by which its latents are multiplied


class Stages(NamedTuple):
    """The two tasks of latent diffusion, one trained after the other.

    Attributes:
        autoencoder: trains the player "autoencoder".
        diffusion: trains the player "model" on its latents.
        begin: a start of a phase -> the start of the second's, which finds the scale of the latents.
        sample: options of ``tasks.diffusion.predictor`` -> the sample of the second; images in 0..1.
    """

    autoencoder: Task
    diffusion: Task
    begin: Callable[[Start], Start]
    sample: Callable[..., Sample]


def latent_diffusion(
    coder: nn.Module, model: nn.Module, image: np.ndarray, *, steps: int = 20, **told: Any
) -> Stages:
    """The two tasks, whose batches have ``image`` [b, h, w, c] in 0..1 and what the network is told.

    Samples are drawn by DPM-Solver++.

    Args:
        coder: of ``lightly_regularized``, with parameters alone, methods ``encode(image) -> (mean, log_var)``
            and ``decode(z) -> image``, and attributes ``latents``, their channels, and ``factor``.
        model: of ``tasks.diffusion.denoising``.
        image: some of the training images [n, h, w, c] in 0..1, which set the scale of the latents.
        steps: of the sampler.
        told: options of ``tasks.diffusion.diffusion``.
    """
    first = called(lightly_regularized(coder), **{MODEL: CODER})
    sides = (side // coder.factor for side in image.shape[1:3])
    shape = (*sides, coder.latents)

    def sample(**network: Any) -> Sample:
        # Latents have no bounds to which a predicted one could be clipped.
        drawn = drawing(model, shape, dpm_solver, steps=steps, clip=np.inf, network=network)
        return through_decoder(drawn, coder)

    def begin(start: Start) -> Start:
        return lambda before, fresh: unit_variance(start(before, fresh), coder, image)

    return Stages(first, in_latents(diffusion(model, **told), coder, first), begin, sample)


def _mean(coder: nn.Module, variables: Variables, image: Array) -> Array:
    given = {"params": variables.params[CODER]}
    out: Any = coder.apply(given, 2 * image - 1, method="encode")
    return out[0]


def _scale(extra: Extra) -> Array:
    return extra[CODER][_SCALE]["scale"]


def in_latents(task: Task, coder: nn.Module, base: Task) -> Task:
    """The task of diffusion on the means of latents, multiplied so that their variance is 1 (appendix G).

    Args:
        task: of diffusion, on ``image`` [b, h2, w2, z].
        coder: of ``latent_diffusion``.
        base: initializes the coder, as the player "autoencoder"; the scale is 1 until ``unit_variance``.
    """

    def init(key: Key, batch: Batch):
        params, extra = base.init(key, batch)
        return params, {CODER: {**extra[CODER], _SCALE: {"scale": jnp.ones(())}}}

    def see(variables: Variables, batch: Batch) -> Batch:
        mean = _mean(coder, variables, batch["image"])
        return {**batch, "image": mean * _scale(variables.extra)}

    return resting_on(task, base._replace(init=init), see)


def unit_variance(state: State, coder: nn.Module, image: np.ndarray) -> State:
    """The state in which latents of these images [n, h, w, c] in 0..1 have a standard deviation of 1.

    Raises:
        UserError: the latents are all alike.
    """
    variables = Variables(state.params, state.extra)
    mean = jax.jit(lambda v, x: _mean(coder, v, x))(variables, jnp.asarray(image))
    deviation = jnp.std(mean)
    if not (jnp.isfinite(deviation) and deviation > 0):
        raise UserError(
            f"the autoencoder's latents have a deviation of {deviation}: expected one code for each image; "
            "train it longer"
        )
    own: Mapping = {**state.extra[CODER], _SCALE: {"scale": 1 / deviation}}
    return state._replace(extra={**state.extra, CODER: own})


def through_decoder(drawn: Sample, coder: nn.Module) -> Sample:
    """Samples of scaled latents, decoded: images [n, h, w, c] in 0..1."""

    @jax.jit
    def decode(variables: Variables, z: Array) -> Array:
        given = {"params": variables.params[CODER]}
        image: Any = coder.apply(given, z / _scale(variables.extra), method="decode")
        return jnp.clip((image + 1) / 2, 0.0, 1.0)

    return lambda variables, key, n: decode(variables, drawn(variables, key, n))
