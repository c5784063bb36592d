"""Prediction of the next token from the tokens before it."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax

from dljax.errors import UserError
from dljax.nn import first_maximum
from dljax.tasks.supervised import supervised, weights
from dljax.types import Array, Batch, Mean, Measures, Task


def measured(logits: Array, batch: Batch, train: bool) -> Measures:
    """Means of ``loss`` (nats) and ``accuracy`` over the ``targets`` that are not below 0.

    Args:
        logits: [b, t, v].
    """
    del train
    logits, targets = logits.astype(jnp.float32), batch["targets"]
    counts = weights(batch, (targets >= 0).astype(jnp.float32))
    target = jnp.maximum(targets, 0)
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, target)
    right = (first_maximum(logits) == target).astype(jnp.float32)
    return {"loss": Mean.of(loss, counts), "accuracy": Mean.of(right, counts)}


def fits(logits: Array, batch: Batch) -> None:
    """Refuse a host batch with targets of another shape than the logits', or tokens that the model has not.

    Raises:
        UserError: this is so.
    """
    if logits.shape[:-1] != batch["targets"].shape:
        raise UserError(
            f"logits of shape {logits.shape} for targets {batch['targets'].shape}: expected "
            "one row of logits for every target"
        )
    most = max(int(np.max(batch[name])) for name in ("tokens", "targets"))
    if most >= logits.shape[-1]:
        raise UserError(
            f"token {most} is none of the model's {logits.shape[-1]}: expected 0 to "
            f"{logits.shape[-1] - 1}; build the model with the vocabulary's size"
        )


def language(model: nn.Module) -> Task:
    """Mean cross-entropy of ``model(tokens) -> logits [b, t, v]`` with the token that came next.

    Args:
        model: called as ``model(tokens [b, t], train=...)``; with a second argument [b] where the batch
            says which rows begin another text.

    Batch: ``tokens`` and ``targets`` int32 [b, t]; a target below 0 does not count; ``fresh`` float32 [b],
    for models that keep a memory between windows. Evaluation:
    ``loss`` in nats and ``accuracy``, per target that counts; perplexity is exp(loss).
    """

    def inputs(batch):
        return tuple(batch[name] for name in ("tokens", "fresh") if name in batch)

    return supervised(model, inputs, measured, fits)
