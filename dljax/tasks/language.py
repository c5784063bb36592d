"""Prediction of tokens: of the next from those before it, or of hidden ones from those around it (Devlin et al.
2018, arXiv:1810.04805, section 3.1, task 1).
"""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax

from dljax.errors import UserError
from dljax.nn import first_maximum
from dljax.tasks.supervised import check_tokens, supervised, texts, weights
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
    check_tokens(batch["tokens"], logits.shape[-1])
    check_tokens(np.maximum(batch["targets"], 0), logits.shape[-1])


def language(model: nn.Module) -> Task:
    """Mean cross-entropy of ``model(tokens) -> logits [b, t, v]`` with the tokens that are meant: those that
    came next, or those that were hidden.

    Args:
        model: called as ``model(*texts(batch), train=...)`` (``supervised.texts``).

    Batch: ``tokens`` and ``targets`` int32 [b, t], as ``sources.text.Windows`` or ``data.masking`` makes
    them; a target below 0 does not count; perhaps ``types``, or ``fresh`` float32 [b] for models that
    keep a memory between windows. Evaluation: ``loss`` in nats and ``accuracy``, per target that counts;
    perplexity is exp(loss).
    """
    return supervised(model, texts, measured, fits)
