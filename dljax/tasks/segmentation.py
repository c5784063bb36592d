"""A class for every pixel."""

from functools import partial

import flax.linen as nn
import jax.numpy as jnp

from dljax.nn import first_maximum
from dljax.tasks.classification import classes_of, fits, scored
from dljax.tasks.supervised import image, supervised
from dljax.types import Array, Task


def overlap(guess: Array, label: Array, classes: int, counts: Array) -> tuple[Array, Array]:
    """(IoU, Dice) per image, each the mean over the classes that occur in guess or label.

    IoU = |A and B| / |A or B|, Dice = 2 |A and B| / (|A| + |B|); [b, h, w] integers -> [b] each.

    Args:
        counts: [b, h, w], whether a pixel counts.
    """
    which = jnp.arange(classes)[None, None, None, :]
    a, b = ((x[..., None] == which) & counts[..., None] for x in (guess, label))
    both = jnp.sum(a & b, axis=(1, 2)).astype(jnp.float32)
    total = jnp.sum(a, axis=(1, 2)) + jnp.sum(b, axis=(1, 2)).astype(jnp.float32)
    occurs = total > 0
    count = jnp.maximum(jnp.sum(occurs, axis=-1), 1)
    iou = jnp.where(occurs, both / jnp.maximum(total - both, 1.0), 0.0)
    dice = jnp.where(occurs, 2.0 * both / jnp.maximum(total, 1.0), 0.0)
    return jnp.sum(iou, axis=-1) / count, jnp.sum(dice, axis=-1) / count


def segmentation(model: nn.Module, *, ignore: int | None = None) -> Task:
    """Mean cross-entropy over all pixels of ``model(image) -> logits [b, h, w, classes]``.

    Args:
        model: called as ``model(batch["image"], train=...)``.
        ignore: a label whose pixels do not count.

    Batch: ``image`` [b, h, w, c], ``label`` [b, h, w] int32. Evaluation: ``loss`` (nats per pixel),
    ``accuracy`` (share of the pixels), ``iou`` and ``dice`` (see ``overlap``; means over images).
    """

    def measured(logits, batch, train):
        values = scored(logits, batch, train, ignore=ignore)
        if train:
            return values
        label = classes_of(logits, batch["label"])
        counts = jnp.ones(label.shape, bool) if ignore is None else label != ignore
        iou, dice = overlap(first_maximum(logits), label, logits.shape[-1], counts)
        return {**values, "iou": iou, "dice": dice}

    return supervised(model, image, measured, partial(fits, ignore=ignore))
