"""Classification of whole graphs, in packs of small ones (``data.sources.graph.Packs``)."""

import flax.linen as nn

from dljax.tasks.classification import check_labels, scored
from dljax.tasks.supervised import supervised, weights
from dljax.types import Array, Batch, Measures, Task


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
