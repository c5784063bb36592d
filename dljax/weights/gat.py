"""GAT as PyG's GATConv, in modules ``conv0`` and ``conv1``."""

from typing import Any

from dljax.weights.layers import DENSE
from dljax.weights.mapping import Entry, reshaped


def entries(model: Any) -> list[Entry]:
    """The map for a GAT.

    In PyG's arrays an axis of one precedes the heads of attention vectors, and a bias has its heads
    joined.
    """
    out = []
    layers = ((model.heads, model.features), (model.output_heads, model.classes))
    for i, (k, d) in enumerate(layers):
        here, there = f"params/attention{i}", f"conv{i}"
        out += [
            Entry(f"{here}/kernel", f"{there}.lin.weight", DENSE),
            Entry(f"{here}/source", f"{there}.att_src", join=reshaped((1, k, d), (k, d))),
            Entry(f"{here}/target", f"{there}.att_dst", join=reshaped((1, k, d), (k, d))),
            Entry(f"{here}/bias", f"{there}.bias", join=reshaped((k * d,), (k, d))),
        ]
    return out
