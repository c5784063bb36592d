"""GraphSAGE as PyG's SAGEConv, in modules ``conv0`` and ``conv1``."""

from typing import Any

from dljax.weights.layers import dense
from dljax.weights.mapping import Entry


def entries(model: Any) -> list[Entry]:
    """The map for a GraphSAGE; it is the same for all."""
    out = []
    for i in range(2):
        out += dense(f"sage{i}/near", f"conv{i}.lin_l")
        out += dense(f"sage{i}/own", f"conv{i}.lin_r", bias=False)
    return out
