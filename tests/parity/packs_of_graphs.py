"""Outputs of networks on small graphs on the recipe's weights: the authors' GIN, and those of PyG's layers.

PYTHONPATH=FOLDER python tests/parity/packs_of_graphs.py     (needs torch, torch_geometric, and in FOLDER models/
                                                              of weihua916/powerful-gnns)
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from cases import GIN, PACK_SIZES, pack
from models.graphcnn import GraphCNN
from recipe import weights
from torch_geometric.nn import MLP, GINConv, global_add_pool

GOLDEN = Path(__file__).parent / "golden"
ARRAYS = {name: torch.from_numpy(array[0]) for name, array in pack().items()}
X, EDGES = ARRAYS["node"], torch.stack([ARRAYS["senders"], ARRAYS["receivers"]]).long()
BATCH = ARRAYS["graph_id"].long()
WIDE = GIN["features"]


def filled(module: torch.nn.Module) -> torch.nn.Module:
    """The module with the recipe's weights, but for counts of batches."""
    state = {k: tuple(v.shape) for k, v in module.state_dict().items() if v.is_floating_point()}
    arrays = {k: torch.from_numpy(v) for k, v in weights(state).items()}
    left, extra = module.load_state_dict(arrays, strict=False)
    assert all(name.endswith("num_batches_tracked") for name in left) and not extra, (left, extra)
    return module.eval()


class PygGin(torch.nn.Module):
    """As in PyG's examples/mutag_gin.py."""

    def __init__(self):
        super().__init__()
        widths = [4] + [WIDE] * GIN["layers"]
        self.convs = torch.nn.ModuleList(
            GINConv(MLP([wide, WIDE, WIDE]), train_eps=True) for wide in widths[:-1]
        )
        self.mlp = MLP([WIDE, WIDE, GIN["classes"]], norm=None, dropout=0.5)

    def forward(self, x, edges, batch):
        for conv in self.convs:
            x = conv(x, edges).relu()
        return self.mlp(global_add_pool(x, batch))


def authors_gin() -> torch.Tensor:
    """Its graphs are objects with features, edges and a length."""
    net = GraphCNN(GIN["layers"] + 1, 2, 4, WIDE, GIN["classes"], 0.5, True, "sum", "sum", "cpu")
    graphs, first = [], 0
    for size in PACK_SIZES:
        inside = (EDGES[1] >= first) & (EDGES[1] < first + size)
        node, edges = X[first : first + size], EDGES[:, inside] - first
        graphs.append(SimpleNamespace(node_features=node, edge_mat=edges, g=range(size)))
        first += size
    return filled(net)(graphs)


@torch.no_grad()
def main() -> None:
    outputs = {"gin": authors_gin(), "gin_pyg": filled(PygGin())(X, EDGES, BATCH)}
    np.savez_compressed(
        GOLDEN / "packs_of_graphs.npz", **{name: out.numpy()[None] for name, out in outputs.items()}
    )


main()
