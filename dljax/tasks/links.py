"""Prediction of a graph's links from its nodes' vectors."""

import flax.linen as nn
import jax.numpy as jnp
import optax

from dljax.tasks.linen import forward, initialize
from dljax.tasks.nodes import graph
from dljax.tasks.supervised import MODEL, means
from dljax.types import Array, Aux, Batch, Mean, Measures, Task, Variables


def links(model: nn.Module) -> Task:
    """Mean cross-entropy of sigmoid(z_a . z_b) over pairs of nodes, z being ``model(node, senders, receivers)``.

    Kipf & Welling 2016, arXiv:1611.07308, section 1, without the variational part.

    Batch: a graph as of ``nodes``; ``pairs`` int32 [m, 2], ``label`` float32 [m] and ``mask`` [m]. Evaluation:
    ``loss`` (nats) and ``accuracy``. Its output are the products [m].
    """

    def init(key, batch):
        return initialize(key, {MODEL: (model, graph(batch))})

    def products(vectors: Array, batch: Batch) -> Array:
        ends = vectors[batch["pairs"]]
        return jnp.sum(ends[:, 0] * ends[:, 1], -1).astype(jnp.float32)

    def measured(out: Array, batch: Batch) -> Measures:
        values = {
            "loss": optax.sigmoid_binary_cross_entropy(out, batch["label"].astype(jnp.float32)),
            "accuracy": ((out > 0) == (batch["label"] > 0.5)).astype(jnp.float32),
        }
        return means(values, batch)

    def loss(params, extra, batch, key) -> tuple[Mean, Aux]:
        given = (model, params[MODEL], extra[MODEL], *graph(batch))
        vectors, changed = forward(*given, key=key, train=True)
        found = dict(measured(products(vectors, batch), batch))
        return found.pop("loss"), Aux(found, {**extra, MODEL: changed})

    def predict(variables: Variables, batch: Batch) -> Array:
        params, extra = variables
        given = (model, params[MODEL], extra[MODEL], *graph(batch))
        return products(forward(*given, key=None, train=False)[0], batch)

    def evaluate(params, extra, batch, key) -> Measures:
        return measured(predict(Variables(params, extra), batch), batch)

    return Task(init, {MODEL: loss}, evaluate, predict)
