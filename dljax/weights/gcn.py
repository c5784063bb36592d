"""GCN as PyG's GCNConv, in modules ``conv0`` and ``conv1``."""

from typing import Any

from dljax.weights.layers import DENSE
from dljax.weights.mapping import Entry


def entries(model: Any) -> list[Entry]:
    """The map for a GCN; it is the same for all."""
    return [
        Entry("params/conv0/kernel", "conv0.lin.weight", DENSE),
        Entry("params/conv0/bias", "conv0.bias"),
        Entry("params/conv1/kernel", "conv1.lin.weight", DENSE),
        Entry("params/conv1/bias", "conv1.bias"),
    ]
