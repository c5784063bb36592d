"""GCN and GAT as PyG's GCNConv and GATConv, in modules ``conv0`` and ``conv1``."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dljax.weights.mapping import Entry, to_params

GCN = [
    Entry("conv0/kernel", "conv0.lin.weight", (1, 0)),
    Entry("conv0/bias", "conv0.bias"),
    Entry("conv1/kernel", "conv1.lin.weight", (1, 0)),
    Entry("conv1/bias", "conv1.bias"),
]


def gat_from_pyg(state: Mapping[str, Any]) -> dict[str, Any]:
    """GAT's parameters; PyG keeps the heads of the attention vectors behind an axis of one, and
    those of the bias joined.
    """
    params: dict[str, Any] = {}
    for i in range(2):
        source = np.asarray(state[f"conv{i}.att_src"])[0]
        params[f"attention{i}"] = {
            "kernel": np.asarray(state[f"conv{i}.lin.weight"]).T,
            "source": source,
            "target": np.asarray(state[f"conv{i}.att_dst"])[0],
            "bias": np.asarray(state[f"conv{i}.bias"]).reshape(source.shape),
        }
    return params


def gcn_from_pyg(state: Mapping[str, Any]) -> dict[str, Any]:
    return to_params(GCN, state)
