"""The next token, from those before it."""

import flax.linen as nn
import jax.numpy as jnp
import optax

from dljax.tasks.linen import forward, initialize
from dljax.types import Aux, Task


def language(model: nn.Module, *, player: str = "model") -> Task:
    """Mean cross-entropy of ``model(tokens) -> logits [b, t, v]`` with the token that came next.

    Batch: ``tokens`` and ``targets`` int32 [b, t]; a target below 0 does not count. Evaluation, per
    window: ``loss`` in nats, and ``accuracy``, summed over the targets that count and divided by
    t. Where ``mask`` is the share of each window that counts, as in ``Windows.apart``, their mean
    over a set is the exact mean per token; perplexity is its exponential.
    """

    def init(key, batch):
        return initialize(key, {player: (model, (batch["tokens"],))})

    def measured(logits, targets):
        logits, counts = logits.astype(jnp.float32), (targets >= 0).astype(jnp.float32)
        target = jnp.maximum(targets, 0)
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, target)
        right = (jnp.argmax(logits, -1) == target).astype(jnp.float32)
        return counts * loss, counts * right, counts

    def loss(params, extra, batch, key):
        logits, changed = forward(
            model, params[player], extra[player], batch["tokens"], key=key, train=True
        )
        loss, right, counts = measured(logits, batch["targets"])
        total = jnp.maximum(jnp.sum(counts), 1.0)
        metrics = {"accuracy": jnp.sum(right) / total}
        return jnp.sum(loss) / total, Aux(metrics, {**extra, player: changed})

    def evaluate(params, extra, batch, key):
        del key
        logits, _ = forward(
            model, params[player], extra[player], batch["tokens"], key=None, train=False
        )
        loss, right, _ = measured(logits, batch["targets"])
        return {"loss": jnp.mean(loss, -1), "accuracy": jnp.mean(right, -1)}

    return Task(init, {player: loss}, evaluate)
