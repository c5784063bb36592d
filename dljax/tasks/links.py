"""Prediction of a graph's links from its nodes' vectors."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import optax

from dljax.tasks.nodes import graph
from dljax.tasks.supervised import Values, supervised
from dljax.types import Array, Batch, Task, Variables


def links(model: nn.Module) -> Task:
    """Mean cross-entropy of sigmoid(z_a . z_b) over pairs of nodes, z being ``model(node, senders, receivers)``.

    Kipf & Welling 2016, arXiv:1611.07308, section 1, without the variational part.

    Batch: a graph as of ``nodes``; ``pairs`` int32 [m, 2], ``label`` float32 [m] and ``mask`` [m]. Evaluation:
    ``loss`` (nats) and ``accuracy``. Its output are the products [m].
    """

    def products(vectors: Array, batch: Batch) -> Array:
        ends = vectors[batch["pairs"]]
        return jnp.sum(ends[:, 0] * ends[:, 1], -1).astype(jnp.float32)

    def measured(vectors: Array, batch: Batch, train: bool) -> Values:
        out = products(vectors, batch)
        return {
            "loss": optax.sigmoid_binary_cross_entropy(out, batch["label"].astype(jnp.float32)),
            "accuracy": ((out > 0) == (batch["label"] > 0.5)).astype(jnp.float32),
        }

    task = supervised(model, graph, measured)
    vectors: Any = task.predict

    def predict(variables: Variables, batch: Batch) -> Array:
        return products(vectors(variables, batch), batch)

    return task._replace(predict=predict)
