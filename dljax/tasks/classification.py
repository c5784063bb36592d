"""Cross-entropy over classes."""

from functools import partial

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax

from dljax.errors import UserError
from dljax.nn import first_maximum
from dljax.tasks.supervised import image, supervised, weights
from dljax.types import Array, Batch, Mean, Measures, Task


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
) -> Measures:
    """Means of ``loss`` (nats, smoothed in training alone) and ``accuracy`` over labels that count.

    Args:
        logits: [..., classes].
        batch: ``label`` integers [...], perhaps ``mask`` of their leading axes.
        smoothing: label smoothing of Szegedy et al. 2016, arXiv:1512.00567, section 7.
        ignore: a label that does not count.

    Raises:
        UserError: labels of another type or shape than the logits ask for, or several outputs.
    """
    if isinstance(logits, tuple):
        raise UserError(
            f"the model has {len(logits)} outputs in training, expected logits alone: for a model with "
            "auxiliary heads use tasks.auxiliary"
        )
    logits, label = logits.astype(jnp.float32), batch["label"]
    check_labels(logits, label, ignore)
    counts = weights(batch, None if ignore is None else label != ignore)
    loss = cross_entropy(logits, label, smoothing if train else 0.0)
    right = (first_maximum(logits) == label).astype(jnp.float32)
    return {"loss": Mean.of(loss, counts), "accuracy": Mean.of(right, counts)}


def fits(logits: Array, batch: Batch, ignore: int | None = None) -> None:
    """Refuse a host batch whose labels do not fit the logits (see ``check_labels``)."""
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
    return supervised(model, image, measured, partial(fits, ignore=ignore))
