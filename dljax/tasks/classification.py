"""Cross-entropy over classes."""

import flax.linen as nn
import jax.numpy as jnp
import optax

from dljax.tasks.linen import forward, initialize
from dljax.types import Aux, Task


def classification(model: nn.Module, *, smoothing: float = 0.0, player: str = "model") -> Task:
    """Mean cross-entropy of ``model(image) -> logits [b, classes]``.

    Args:
        model: called as ``model(batch["image"], train=...)``.
        smoothing: label smoothing of Szegedy et al. 2016, arXiv:1512.00567, section 7.
        player: the name of the one player.

    Batch: ``image`` [b, ...] float32, ``label`` [b] int32. Evaluation: ``loss`` (nats, without
    smoothing) and ``accuracy``.
    """

    def init(key, batch):
        return initialize(key, {player: (model, (batch["image"],))})

    def cross_entropy(logits, label):
        if not smoothing:
            return optax.softmax_cross_entropy_with_integer_labels(logits, label)
        target = optax.smooth_labels(jnp.eye(logits.shape[-1])[label], smoothing)
        return optax.softmax_cross_entropy(logits, target)

    def loss(params, extra, batch, key):
        logits, changed = forward(
            model, params[player], extra[player], batch["image"], key=key, train=True
        )
        logits = logits.astype(jnp.float32)
        accuracy = jnp.mean(jnp.argmax(logits, -1) == batch["label"])
        value = jnp.mean(cross_entropy(logits, batch["label"]))
        return value, Aux({"accuracy": accuracy}, {**extra, player: changed})

    def evaluate(params, extra, batch, key):
        del key
        logits, _ = forward(
            model, params[player], extra[player], batch["image"], key=None, train=False
        )
        logits, label = logits.astype(jnp.float32), batch["label"]
        return {
            "loss": optax.softmax_cross_entropy_with_integer_labels(logits, label),
            "accuracy": (jnp.argmax(logits, -1) == label).astype(jnp.float32),
        }

    return Task(init, {player: loss}, evaluate)
