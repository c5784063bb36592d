"""Masked tokens and the next text at once. Devlin et al. 2018, arXiv:1810.04805, section 3.1 and appendix A.2."""

import flax.linen as nn
import jax.numpy as jnp
import optax

from dljax.nn import first_maximum
from dljax.tasks import language
from dljax.tasks.classification import check_labels
from dljax.tasks.supervised import supervised, texts
from dljax.types import Task


def pretraining(model: nn.Module) -> Task:
    """Cross-entropy of the hidden tokens and of whether the second text follows, added.

    Args:
        model: called as ``model(tokens [b, t], types [b, t], train=...)``, giving logits [b, t, v] and
            [b, 2].

    Batch: ``tokens``, ``types`` and ``targets`` int32 [b, t], as ``dljax.data.masking`` makes them; ``label``
    int32 [b], 1 where the second text follows. Evaluation: ``loss``, the mean over rows of the mean over a
    row's hidden tokens, and the second text's; ``masked_loss`` and ``masked_accuracy`` per hidden token;
    ``follows_loss`` and ``follows_accuracy``; losses in nats.
    """

    def measured(outputs, batch, train):
        logits, follows = (x.astype(jnp.float32) for x in outputs)
        check_labels(follows, batch["label"])
        hidden = (batch["targets"] >= 0).astype(jnp.float32)
        each = optax.softmax_cross_entropy_with_integer_labels(
            logits, jnp.maximum(batch["targets"], 0)
        )
        row = jnp.sum(each * hidden, 1) / jnp.maximum(jnp.sum(hidden, 1), 1.0)
        second = optax.softmax_cross_entropy_with_integer_labels(follows, batch["label"])
        right = (first_maximum(follows) == batch["label"]).astype(jnp.float32)
        masked = language.measured(logits, batch, train)
        return {
            "loss": row + second,
            "masked_loss": masked["loss"],
            "masked_accuracy": masked["accuracy"],
            "follows_loss": second,
            "follows_accuracy": right,
        }

    def fits(outputs, batch):
        language.fits(outputs[0], batch)
        check_labels(outputs[1], batch["label"])

    return supervised(model, texts, measured, fits)
