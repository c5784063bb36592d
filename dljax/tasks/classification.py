"""Cross-entropy over classes: of images, of a graph's nodes, of pixels."""

from functools import partial

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax

from dljax.errors import UserError
from dljax.tasks.supervised import Values, image, supervised, weights
from dljax.types import Array, Batch, Mean, Task


def check_labels(logits: Array, label: Array | np.ndarray, ignore: int | None = None) -> None:
    """Check that labels fit the logits they are compared with.

    Args:
        logits: [..., classes], or its shape.
        label: [...] integers; of a host array the values are checked too.
        ignore: a label that does not count.

    Raises:
        UserError: another type or shape, or a label that is no class; with some of the labels.
    """
    classes, seen = logits.shape[-1], ""
    if isinstance(label, np.ndarray):
        some = np.unique(label[:4096] if label.dtype.kind in "OUS" else label)
        shown = [*some[:6], *(["..."] if len(some) > 7 else some[6:7])]
        if len(some) > 7:
            shown.append(some[-1])
        seen = f" ({', '.join(str(x) for x in shown)})"
    expected = f"expected integers 0 to {classes - 1}, of shape {tuple(logits.shape[:-1])}"
    if not jnp.issubdtype(label.dtype, jnp.integer):
        raise UserError(f"labels are {label.dtype}{seen}: {expected}")
    if label.shape != logits.shape[:-1]:
        way = "; take argmax(-1) of one-hot labels" if label.shape == logits.shape else ""
        raise UserError(f"labels are of shape {label.shape}{seen}: {expected}{way}")
    if isinstance(label, np.ndarray):
        counted = label if ignore is None else label[label != ignore]
        if counted.size and (counted.min() < 0 or counted.max() >= classes):
            raise UserError(
                f"labels are {seen[2:-1]} where the model has {classes} outputs: expected 0 to "
                f"{classes - 1}"
                + ("" if ignore is None else f", or {ignore}, which does not count")
            )


def cross_entropy(logits: Array, label: Array, smoothing: float = 0.0) -> Array:
    """-log softmax(logits)[label] in nats, [..., classes] and [...] -> [...] float32.

    The loss is NaN where a label is no class, so that training stops there.

    Args:
        smoothing: label smoothing of Szegedy et al. 2016, arXiv:1512.00567, section 7.
    """
    classes = logits.shape[-1]
    if smoothing:
        target = optax.smooth_labels(jnp.eye(classes)[label], smoothing)
        loss = optax.softmax_cross_entropy(logits, target)
    else:
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, label)
    return jnp.where((label >= 0) & (label < classes), loss, jnp.nan)


def scored(
    logits: Array, batch: Batch, train: bool, *, smoothing: float = 0.0, ignore: int | None = None
) -> Values:
    """Means of ``loss`` (nats, smoothed in training alone) and ``accuracy`` over labels that count.

    Args:
        logits: [..., classes].
        batch: ``label`` integers [...], perhaps ``mask`` of their leading axes.
        smoothing: label smoothing of Szegedy et al. 2016, arXiv:1512.00567, section 7.
        ignore: a label that does not count.

    Raises:
        UserError: labels of another type or shape than the logits ask for.
    """
    logits, label = logits.astype(jnp.float32), batch["label"]
    check_labels(logits, label, ignore)
    counts = weights(batch, None if ignore is None else label != ignore)
    loss = cross_entropy(logits, label, smoothing if train else 0.0)
    right = (jnp.argmax(logits, -1) == label).astype(jnp.float32)
    return {"loss": Mean.of(loss, counts), "accuracy": Mean.of(right, counts)}


def graph(batch: Batch) -> tuple:
    """The arguments of a model of graphs."""
    return batch["node"], batch["senders"], batch["receivers"]


def _fits(logits: Array, batch: Batch, ignore: int | None = None) -> None:
    check_labels(logits, np.asarray(batch["label"]), ignore)


def classification(model: nn.Module, *, smoothing: float = 0.0, ignore: int | None = None) -> Task:
    """Mean cross-entropy of ``model(image) -> logits [b, classes]``.

    Args:
        model: called as ``model(batch["image"], train=...)``.
        smoothing: label smoothing of Szegedy et al. 2016, arXiv:1512.00567, section 7.
        ignore: a label that does not count.

    Batch: ``image`` [b, ...] float32, ``label`` [b] int32. Evaluation: ``loss`` (nats, without
    smoothing) and ``accuracy``.
    """
    measured = partial(scored, smoothing=smoothing, ignore=ignore)
    return supervised(model, image, measured, partial(_fits, ignore=ignore))


def nodes(model: nn.Module) -> Task:
    """Mean cross-entropy over the nodes that count, of ``model(node, senders, receivers)``.

    Batch (one whole graph): ``node`` [n, d], ``senders`` and ``receivers`` [e], ``label`` [n],
    ``mask`` [n]. Evaluation: ``loss`` (nats) and ``accuracy``.
    """
    return supervised(model, graph, scored, _fits)


def overlap(guess: Array, label: Array, classes: int, counts: Array) -> tuple[Array, Array]:
    """(IoU, Dice) per image, each the mean over the classes that occur in guess or label.

    IoU = |A and B| / |A or B|, Dice = 2 |A and B| / (|A| + |B|), float32 [b] each.

    Args:
        guess, label: integers [b, h, w].
        classes: number of classes.
        counts: bool [b, h, w], True where a pixel counts.
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
        label = batch["label"]
        counts = jnp.ones(label.shape, bool) if ignore is None else label != ignore
        iou, dice = overlap(jnp.argmax(logits, -1), label, logits.shape[-1], counts)
        return {**values, "iou": iou, "dice": dice}

    return supervised(model, image, measured, partial(_fits, ignore=ignore))
