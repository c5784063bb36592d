"""Classification of a graph's nodes, some of which are labelled."""

import flax.linen as nn

from dljax.tasks.classification import fits, scored
from dljax.tasks.supervised import supervised
from dljax.types import Batch, Task


def graph(batch: Batch) -> tuple:
    """The arguments of a model of graphs."""
    return batch["node"], batch["senders"], batch["receivers"]


def nodes(model: nn.Module) -> Task:
    """Mean cross-entropy over the nodes that count, of ``model(node, senders, receivers)``.

    Batch (one whole graph): ``node`` [n, d], ``senders`` and ``receivers`` [e], ``label`` [n],
    ``mask`` [n]. Evaluation: ``loss`` (nats) and ``accuracy``.
    """
    return supervised(model, graph, scored, fits)
