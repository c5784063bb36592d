"""From a sequence to another: the next target token from the source and the target tokens before it."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from dljax.errors import UserError
from dljax.nn import first_maximum
from dljax.tasks.supervised import check_tokens, supervised, weights
from dljax.types import Batch, Mean, Task

_PAD = 0


def translation(model: nn.Module, *, smoothing: float = 0.0) -> Task:
    """Mean cross-entropy of ``model(source, target) -> logits [b, t, v]`` with the target token that came
    next, the true ones before it given (teacher forcing).

    Args:
        model: called as ``model(source [b, s], target [b, t], train=...)``.
        smoothing: in training, the share of the label that is spread over the vocabulary (Szegedy et al.
            2015, arXiv:1512.00567, section 7).

    Batch: ``source`` int32 [b, s]; ``target`` int32 [b, t + 1], whose first token begins; token 0 fills
    up and does not count. Evaluation: ``loss`` in nats without smoothing and ``accuracy``, per target
    token; ``padding``, the share of filled-up places on both sides.
    """

    def inputs(batch: Batch) -> tuple:
        return batch["source"], batch["target"][:, :-1]

    def measured(logits, batch, train):
        logits, target = logits.astype(jnp.float32), batch["target"][:, 1:]
        counts = weights(batch, (target != _PAD).astype(jnp.float32))
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, target)
        if train and smoothing:
            spread = jax.nn.logsumexp(logits, -1) - jnp.mean(logits, -1)
            loss = (1 - smoothing) * loss + smoothing * spread
        right = (first_maximum(logits) == target).astype(jnp.float32)
        sides = jnp.concatenate([batch["source"], target], 1)
        return {
            "loss": Mean.of(loss, counts),
            "accuracy": Mean.of(right, counts),
            "padding": jnp.mean((sides == _PAD).astype(jnp.float32), 1),
        }

    def fits(logits, batch):
        b, t = batch["target"].shape
        if logits.shape[:-1] != (b, t - 1):
            raise UserError(
                f"logits of shape {logits.shape} for targets {batch['target'].shape}: expected one row "
                "of logits for every target token after the first"
            )
        check_tokens(batch["target"], logits.shape[-1])

    return supervised(model, inputs, measured, fits)
