"""Images restored from some of their patches. He et al. 2021, MAE, arXiv:2111.06377."""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp

from dljax import axes
from dljax.tasks.linen import forward, initialize
from dljax.tasks.supervised import MODEL, means, represented
from dljax.types import Array, Aux, Batch, Key, Task, Variables


def patch_noise(key: Key, image: Array, side: int) -> Array:
    """Uniform numbers [b, t] for the patches of images [b, h, w, c], by which some of them are hidden."""
    b, h, w, _ = image.shape
    return axes.rows(partial(jax.random.uniform, key), (b, (h // side) * (w // side)))


def statistics(squares: Array) -> tuple[Array, Array]:
    """(mean, deviation) of each patch's pixels, [b, t, 1] of [b, t, d]; the variance is by d - 1, plus 1e-6."""
    mean = jnp.mean(squares, -1, keepdims=True)
    return mean, jnp.sqrt(jnp.var(squares, -1, keepdims=True, ddof=1) + 1e-6)


def masked_autoencoding(
    model: nn.Module, cut: Callable[[Array, int], Array], *, normalized: bool = True
) -> Task:
    """The mean squared error of the pixels of hidden patches, and of these alone (section 3).

    Args:
        model: called as ``model(image [b, h, w, c], noise [b, t], train=...) -> (pixels [b, t, d], mask [b, t])``,
            the mask 1 where a patch was hidden, with a method ``represent(image) -> [b, d]``; its
            ``encoder.patch`` is the side of a patch.
        cut: (image, side) -> patches [b, t, d].
        normalized: the target is each patch's pixels less their mean, by their deviation.

    Batch: ``image``. Evaluation: ``loss``, with the same patches hidden at each. ``predict`` is the
    representation of the whole image.
    """
    side = model.encoder.patch  # type: ignore[attr-defined]

    def init(key: Key, batch: Batch):
        image = batch["image"]
        return initialize(key, {MODEL: (model, (image, patch_noise(key, image, side)))})

    def error(params, extra, batch: Batch, key: Key, train: bool):
        image = batch["image"]
        given = params[MODEL], extra[MODEL], image, patch_noise(key, image, side)
        (pixels, mask), _ = forward(model, *given, key=None, train=train)
        target = cut(image.astype(jnp.float32), side)
        if normalized:
            mean, deviation = statistics(target)
            target = (target - mean) / deviation
        each = jnp.mean((pixels.astype(jnp.float32) - target) ** 2, axis=-1)
        mask = mask.astype(jnp.float32)
        return dict(
            means({"loss": jnp.sum(each * mask, 1) / jnp.maximum(jnp.sum(mask, 1), 1)}, batch)
        )

    def loss(params, extra, batch, key):
        return error(params, extra, batch, key, True)["loss"], Aux({}, extra)

    def evaluate(params, extra, batch, key):
        return error(params, extra, batch, key, False)

    return Task(init, {MODEL: loss}, evaluate, represented(model))


def filled_in(
    model: nn.Module,
    cut: Callable[[Array, int], Array],
    join: Callable[[Array, int, int], Array],
    *,
    normalized: bool = True,
    player: str = MODEL,
) -> Callable[[Variables, Array, Key], tuple[Array, Array]]:
    """The function (variables, image in 0..1, key) -> (the image with its hidden patches gray, the image with
    these as restored).

    Args:
        model, cut, normalized: of ``masked_autoencoding``. Normalized pixels are given back the hidden patch's
            own mean and deviation, as in the paper's figures.
        join: (patches, side, width) -> image.
    """
    side = model.encoder.patch  # type: ignore[attr-defined]

    @jax.jit
    def of(variables: Variables, image: Array, key: Key) -> tuple[Array, Array]:
        given = variables.params[player], variables.extra[player], image
        noise = patch_noise(key, image, side)
        (pixels, mask), _ = forward(model, *given, noise, key=None, train=False)
        true, hidden = cut(image, side), mask[..., None] > 0
        if normalized:
            mean, deviation = statistics(true)
            pixels = pixels * deviation + mean
        gray, made = jnp.where(hidden, 0.5, true), jnp.where(hidden, pixels, true)
        width = image.shape[2]
        return join(gray, side, width), jnp.clip(join(made, side, width), 0.0, 1.0)

    return of
