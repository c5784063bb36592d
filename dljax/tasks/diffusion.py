"""Denoising diffusion. Ho et al. 2020, arXiv:2006.11239; with classes, Ho & Salimans 2022,
arXiv:2207.12598.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from dljax import axes
from dljax.tasks.linen import forward, initialize
from dljax.tasks.noising import (
    Prediction,
    Schedule,
    linear_schedule,
    noise_of,
    q_sample,
    target,
)
from dljax.tasks.samplers import Guess, Predict, Sampler, ddim
from dljax.tasks.supervised import MODEL, means
from dljax.types import Array, Aux, Batch, Key, Sample, Task

NO_CLASS = -1  # label of an image whose class the network is not told; also each token of a caption


class Noised(NamedTuple):
    """Images and what was made of them.

    Attributes:
        image, noise, x: x_0, eps and x_t, [b, ...].
        time: int32 [b].
    """

    image: Array
    time: Array
    noise: Array
    x: Array


def noised(schedule: Schedule, image: Array, time_key: Key, noise_key: Key) -> Noised:
    """Images at a uniformly random time each."""
    time = axes.uniform_integers(time_key, image.shape[:1], schedule.steps)
    noise = axes.normal(noise_key, image.shape).astype(image.dtype)
    return Noised(image, time, noise, q_sample(schedule, image, time, noise))


def denoising(
    model: nn.Module,
    schedule: Schedule,
    measured: Callable[[Array, Noised], Mapping[str, Array]],
    *,
    classes: int = 0,
    told: str = "",
    drop: float = 0.1,
    sample: Sample | None = None,
) -> Task:
    """The task of a network that is shown images at random times and minimizes "loss".

    Args:
        model: called as ``model(x_t, time [b] int32, train=...)``, or with ``classes`` as
            ``model(x_t, time, label [b] int32, train=...)``, where a label of -1 is none.
        measured: (output, the noised images) -> name -> values per image, [b].
        classes: number of the batch's labels; 0 does not look at them.
        told: name of the batch's array of int32 [b, ...] that the network is told, "label" where there are
            classes; as a caption's tokens, with -1 everywhere for none.
        drop: share of them that training hides (Ho & Salimans, algorithm 1).
    """
    name = told or ("label" if classes else "")

    def conditions(batch: Batch) -> tuple:
        return (batch[name].astype(jnp.int32),) if name else ()

    def init(key, batch):
        image = batch["image"]
        time = jnp.zeros((image.shape[0],), jnp.int32)
        return initialize(key, {MODEL: (model, (image, time, *conditions(batch)))})

    def values(params, extra, batch, key, train: bool):
        time_key, noise_key, model_key = jax.random.split(key, 3)
        seen = noised(schedule, batch["image"], time_key, noise_key)
        given = conditions(batch)
        if given and train:
            row = given[0]
            shown = axes.keep_mask(jax.random.fold_in(key, 3), drop, row.shape[:1])
            given = (jnp.where(shown.reshape(-1, *[1] * (row.ndim - 1)), row, NO_CLASS),)
        output, changed = forward(
            model,
            params[MODEL],
            extra[MODEL],
            seen.x,
            seen.time,
            *given,
            key=model_key,
            train=train,
        )
        return dict(means(measured(output.astype(jnp.float32), seen), batch)), changed

    def loss(params, extra, batch, key):
        metrics, changed = values(params, extra, batch, key, True)
        return metrics.pop("loss"), Aux(metrics, {**extra, MODEL: changed})

    def evaluate(params, extra, batch, key):
        return values(params, extra, batch, key, False)[0]

    return Task(init, {MODEL: loss}, evaluate, sample=sample)


def per_image(x: Array) -> Array:
    """Means over all axes but the first, [b, ...] -> [b]."""
    return jnp.mean(x, axis=tuple(range(1, x.ndim)))


def diffusion(
    model: nn.Module,
    shape: tuple[int, ...] | None = None,
    *,
    schedule: Schedule | None = None,
    prediction: Prediction = "eps",
    classes: int = 0,
    told: str = "",
    drop: float = 0.1,
) -> Task:
    """Mean squared error of a prediction at a random time: L_simple, equation 14, for the noise.

    Args:
        model: of ``denoising``; its output has the shape of ``x_t``.
        shape: of one image, [h, w, c]; where it is given the task samples, by DDIM in 50 steps.
        schedule: of the noise; by default the paper's, 1000 times.
        prediction: of the noise "eps", the image "x0" or the velocity "v" (``noising.target``).
        classes, told, drop: of ``denoising``; one that is told something else than classes does not sample.

    Batch: ``image`` [b, ...] in -1..1, and ``label`` [b] with ``classes``. Evaluation: ``loss`` at one
    time and one noise per image.
    """
    noising = schedule or linear_schedule()

    def measured(output, seen: Noised):
        right = target(prediction, noising, seen.image, seen.time, seen.noise)
        return {"loss": per_image((output - right.astype(jnp.float32)) ** 2)}

    made = None
    if shape is not None and not told:
        options = {"prediction": prediction, "classes": classes}
        made = sampling(model, shape, ddim, schedule=noising, network=options)
    return denoising(model, noising, measured, classes=classes, told=told, drop=drop, sample=made)


def predictor(
    model: nn.Module,
    schedule: Schedule,
    *,
    prediction: Prediction = "eps",
    classes: int = 0,
    told: np.ndarray | None = None,
    scale: float = 1.0,
    variance: bool = False,
) -> Predict:
    """The ``predict`` of a sampler: (variables, x_t, time) -> eps, or a ``Guess`` with ``variance``.

    With classes, image i is of class i modulo their number, or is told the i-th row of ``told``, and
    guidance (Ho & Salimans, section 3.2) moves the prediction away from the one that is told nothing:

        guided = without + scale (with - without)

    ``scale`` 0 is the unconditional model and 1 the conditional one; the paper's w is scale - 1.

    Args:
        model: of ``denoising``.
        told: rows of what images are told, int32 [k, ...]; with classes, 0 to classes - 1 by default.
        variance: the model's output has twice the channels, the second half a share of the variance
            in -1..1 (``dljax.tasks.likelihood``); guidance leaves that as it is with the class.
    """

    rows = np.arange(classes, dtype=np.int32) if told is None else np.asarray(told, np.int32)

    def run(variables, x, time, *label):
        given = variables.params[MODEL], variables.extra[MODEL]
        return forward(model, *given, x, time, *label, key=None, train=False)[0]

    def output(variables, x, time):
        if not len(rows):
            return run(variables, x, time)
        label = jnp.asarray(rows)[jnp.arange(len(x)) % len(rows)]
        none = jnp.full_like(label, NO_CLASS)
        if scale in (0.0, 1.0):
            return run(variables, x, time, label if scale else none)
        twice = [jnp.concatenate(pair) for pair in ((x, x), (time, time), (label, none))]
        known, unknown = jnp.split(run(variables, *twice), 2)
        guided = unknown + scale * (known - unknown)
        c = x.shape[-1]
        return jnp.concatenate([guided[..., :c], known[..., c:]], axis=-1) if variance else guided

    def predict(variables, x, time):
        guess = output(variables, x, time)
        if not variance:
            return noise_of(prediction, schedule, x, time, guess)
        guess, share = jnp.split(guess, 2, axis=-1)
        return Guess(noise_of(prediction, schedule, x, time, guess), (share + 1) / 2)

    return predict


def drawing(
    model: nn.Module,
    shape: tuple[int, ...],
    kind: Callable[..., Sampler],
    *,
    schedule: Schedule | None = None,
    network: Mapping[str, Any] | None = None,
    **options: Any,
) -> Sample:
    """Samples [n, *shape] of what the network was trained on, as it was shown them.

    Args:
        kind: ``ddim``, ``ancestral`` or ``dpm_solver``.
        schedule: of the model's training; by default the paper's.
        network: options of ``predictor``, where the network predicts something else than the noise.
        options: of ``kind``.
    """
    noising = schedule or linear_schedule()
    predict = predictor(model, noising, **network or {})

    @cache
    def of(n: int) -> Sampler:
        return kind(predict, (n, *shape), schedule=noising, **options)

    return lambda variables, key, n: of(n)(variables, key)


def sampling(
    model: nn.Module, shape: tuple[int, ...], kind: Callable[..., Sampler], **options: Any
) -> Sample:
    """The ``sample`` of a diffusion task: ``drawing`` of images in -1..1, as images [n, h, w, c] in 0..1."""
    drawn = drawing(model, shape, kind, **options)
    return lambda variables, key, n: (drawn(variables, key, n) + 1) / 2
