"""Cross-entropy over classes."""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from dljax.errors import UserError
from dljax.nn import first_maximum
from dljax.tasks.supervised import check_tokens, image, supervised, weights
from dljax.types import Array, Batch, Mean, Measures, Task


def is_soft(logits: Array, label: Array | np.ndarray) -> bool:
    """True where labels are distributions over the classes: floating, and of the logits' shape."""
    return jnp.issubdtype(label.dtype, jnp.floating) and label.shape == logits.shape


def classes_of(logits: Array, label: Array) -> Array:
    """The classes that labels stand for, integers [...]: themselves, or the likeliest of each."""
    return first_maximum(label) if is_soft(logits, label) else label


# A distribution's sum may be this far from 1: bfloat16, in which mixed precision hands it over, has
# errors of 2^-9 of each value.
_SUM_ERROR = 0.01


def check_labels(logits: Array, label: Array | np.ndarray, ignore: int | None = None) -> None:
    """Check that labels fit the logits they are compared with.

    Args:
        logits: [..., classes], or its shape.
        label: [...] integers, or distributions of the logits' shape; of a host array the values are
            checked too.
        ignore: a label that does not count.

    Raises:
        UserError: another type or shape, or a label that is no class; with some of the labels.
    """
    if is_soft(logits, label):
        check_distributions(label, ignore)
        return
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


def check_distributions(label: Array | np.ndarray, ignore: int | None) -> None:
    """Check soft labels, [..., classes] floating; of a host array the values too.

    Raises:
        UserError: a label to ignore, which no distribution is; a value below 0, or a sum that is not 1.
    """
    if ignore is not None:
        raise UserError(
            f"labels are distributions {tuple(label.shape)}, of which none is {ignore}, the label to "
            "ignore: leave ignore out, and give such rows a mask of 0"
        )
    if isinstance(label, np.ndarray) and label.size:
        sums, least = label.astype(np.float64).sum(-1), float(label.min())
        off = float(sums.flat[np.abs(sums - 1).argmax()])
        if not (least >= 0 and abs(off - 1) <= _SUM_ERROR):
            raise UserError(
                f"labels are {label.dtype} {tuple(label.shape)} with a least value of {least:.4g} and "
                f"a sum of {off:.4g}: expected distributions, 0 or more that add to 1"
            )


def cross_entropy(logits: Array, label: Array, smoothing: float = 0.0) -> Array:
    """-log softmax(logits)[label] in nats, [..., classes] and [...] -> [...] float32.

    Its mean over the classes of a soft label [..., classes]. The loss is NaN where a label is no
    class or no distribution, so that training stops there.

    Args:
        smoothing: label smoothing of Szegedy et al. 2016, arXiv:1512.00567, section 7.
    """
    classes, soft = logits.shape[-1], is_soft(logits, label)
    if soft:
        label = label.astype(jnp.float32)
        total = jnp.sum(label, -1)
        valid = jnp.all(label >= 0, -1) & (jnp.abs(total - 1) <= _SUM_ERROR)
    else:
        valid = (label >= 0) & (label < classes)
    if smoothing:
        target = optax.smooth_labels(label if soft else jnp.eye(classes)[label], smoothing)
        loss = optax.softmax_cross_entropy(logits, target)
    elif soft:  # in the order of the integers' loss, so that one class has the same bits
        loss = total * jax.nn.logsumexp(logits, -1) - jnp.sum(label * logits, -1)
    else:
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, label)
    return jnp.where(valid, loss, jnp.nan)


def scored(
    logits: Array, batch: Batch, train: bool, *, smoothing: float = 0.0, ignore: int | None = None
) -> Measures:
    """Means of ``loss`` (nats, smoothed in training alone) and ``accuracy`` over labels that count.

    Args:
        logits: [..., classes].
        batch: ``label`` integers [...] or distributions [..., classes], perhaps ``mask`` of their
            leading axes. Accuracy asks for a distribution's likeliest class.
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
    right = (first_maximum(logits) == classes_of(logits, label)).astype(jnp.float32)
    return {"loss": Mean.of(loss, counts), "accuracy": Mean.of(right, counts)}


def fits(logits: Array, batch: Batch, ignore: int | None = None) -> None:
    """Refuse a host batch whose labels do not fit the logits (see ``check_labels``)."""
    check_labels(logits, np.asarray(batch["label"]), ignore)


def classification(
    model: nn.Module,
    *,
    inputs: Callable[[Batch], tuple] = image,
    smoothing: float = 0.0,
    ignore: int | None = None,
) -> Task:
    """Mean cross-entropy of the classes [b, classes] of images or texts, or [b, t, classes] of tokens.

    Args:
        model: called as ``model(*inputs(batch), train=...)``; of texts one that says its ``vocabulary``,
            the number of tokens, is held to it.
        inputs: the model's arguments in a batch, ``supervised.image`` or ``supervised.texts``.
        smoothing: label smoothing of Szegedy et al. 2016, arXiv:1512.00567, section 7.
        ignore: a label that does not count, as of the later pieces of a tagged word.

    Batch: ``image`` [b, ...] float32, or ``tokens`` int32 [b, t]; ``label`` int32 [b] or [b, t], or
    [b, classes] float32 where labels are distributions, as mixup makes them. Evaluation: ``loss`` (nats,
    without smoothing) and ``accuracy`` (of the likeliest class), per label that counts.
    """
    measured = partial(scored, smoothing=smoothing, ignore=ignore)

    def check(logits: Array, batch: Batch) -> None:
        fits(logits, batch, ignore)
        known = getattr(model, "vocabulary", None)
        if known is not None and "tokens" in batch:
            check_tokens(batch["tokens"], known)

    return supervised(model, inputs, measured, check)
