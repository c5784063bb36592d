"""Classification of a graph's nodes, some of which are labelled."""

import flax.linen as nn
import jax.numpy as jnp
import optax

from dljax.tasks.linen import forward, initialize
from dljax.types import Aux, Task


def nodes(model: nn.Module, *, player: str = "model") -> Task:
    """Mean cross-entropy over the nodes that count, of ``model(node, senders, receivers)``.

    Batch (one whole graph): ``node`` [n, d], ``senders`` and ``receivers`` [e], ``label`` [n],
    ``mask`` [n]. Evaluation, per node: ``loss`` (nats) and ``accuracy``.
    """

    def arguments(batch):
        return batch["node"], batch["senders"], batch["receivers"]

    def init(key, batch):
        return initialize(key, {player: (model, arguments(batch))})

    def measured(logits, label):
        logits = logits.astype(jnp.float32)
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, label)
        return loss, (jnp.argmax(logits, -1) == label).astype(jnp.float32)

    def loss(params, extra, batch, key):
        logits, changed = forward(
            model, params[player], extra[player], *arguments(batch), key=key, train=True
        )
        value, right = measured(logits, batch["label"])
        mask = batch["mask"].astype(jnp.float32)
        count = jnp.maximum(jnp.sum(mask), 1.0)
        accuracy = jnp.sum(mask * right) / count
        return jnp.sum(mask * value) / count, Aux(
            {"accuracy": accuracy}, {**extra, player: changed}
        )

    def evaluate(params, extra, batch, key):
        del key
        logits, _ = forward(
            model, params[player], extra[player], *arguments(batch), key=None, train=False
        )
        value, right = measured(logits, batch["label"])
        return {"loss": value, "accuracy": right}

    return Task(init, {player: loss}, evaluate)
