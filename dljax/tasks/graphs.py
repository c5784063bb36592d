"""Classification of whole graphs and quantities of them, in packs of small ones (``data.sources.graph.Packs``)."""

import flax.linen as nn
import jax.numpy as jnp

from dljax.tasks.classification import check_labels, scored
from dljax.tasks.supervised import supervised, weights
from dljax.types import Array, Batch, Mean, Measures, Task


def packs(batch: Batch) -> tuple:
    """The arguments of a model of packs."""
    names = ("node", "senders", "receivers", "graph_id", "node_mask", "graph_mask")
    return tuple(batch[name] for name in names)


def of_graphs(batch: Batch) -> Batch:
    """The batch with a ``mask`` of graphs [b, g], which is 0 in padding."""
    return {**batch, "mask": weights(batch, batch["graph_mask"])}


def graphs(model: nn.Module) -> Task:
    """Mean cross-entropy over the graphs that count, of ``model(*packs(batch))`` [b, g, classes].

    Batch: packs, whose ``label`` are integers [b, g]. Evaluation: ``loss`` (nats) and ``accuracy``.
    """

    def measured(logits: Array, batch: Batch, train: bool) -> Measures:
        return scored(logits, of_graphs(batch), train)

    return supervised(
        model, packs, measured, lambda logits, batch: check_labels(logits, batch["label"])
    )


def packs_with_edges(batch: Batch) -> tuple:
    """The arguments of a model of packs whose edges have features."""
    names = ("node", "edge", "senders", "receivers", "graph_id", "graph_mask")
    return tuple(batch[name] for name in names)


def quantity(model: nn.Module) -> Task:
    """Mean squared error over the graphs that count, of ``model(*packs_with_edges(batch))`` [b, g, 1].

    Batch: packs, whose ``label`` are float32 [b, g]. Evaluation: ``loss``, and ``absolute`` error.
    """

    def measured(out: Array, batch: Batch, train: bool) -> Measures:
        error, counted = out[..., 0].astype(jnp.float32) - batch["label"], of_graphs(batch)["mask"]
        return {"loss": Mean.of(error**2, counted), "absolute": Mean.of(jnp.abs(error), counted)}

    return supervised(model, packs_with_edges, measured)
