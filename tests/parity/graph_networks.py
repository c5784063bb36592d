"""Outputs of networks on graphs on the recipe's weights: the authors' GIN, and those of PyG's layers.

PYTHONPATH=FOLDER python tests/parity/graph_networks.py     (needs torch, torch_geometric, and in FOLDER models/
                                                              of weihua916/powerful-gnns)
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from cases import GIN, MPNN, PACK_SIZES, graph, pack
from models.graphcnn import GraphCNN
from recipe import weights
from torch_geometric.nn import MLP, GINConv, NNConv, SAGEConv, Set2Set, global_add_pool

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


class Sage(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv0, self.conv1 = SAGEConv(10, 6), SAGEConv(6, 4)

    def forward(self, x, edges):
        return self.conv1(self.conv0(x, edges).relu(), edges)


class Mpnn(torch.nn.Module):
    """As in PyG's examples/qm9_nn_conv.py."""

    def __init__(self):
        super().__init__()
        d, hidden = MPNN["features"], MPNN["hidden"]
        self.lin0 = torch.nn.Linear(4, d)
        perceptron = torch.nn.Sequential(
            torch.nn.Linear(5, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, d * d)
        )
        self.conv = NNConv(d, d, perceptron, aggr="mean")
        self.gru = torch.nn.GRU(d, d)
        self.set2set = Set2Set(d, processing_steps=3)
        self.lin1, self.lin2 = torch.nn.Linear(2 * d, d), torch.nn.Linear(d, 1)

    def forward(self, x, edges, edge, batch):
        out = self.lin0(x).relu()
        h = out[None]
        for _ in range(3):
            m = self.conv(out, edges, edge).relu()
            out, h = self.gru(m[None], h)
            out = out[0]
        return self.lin2(self.lin1(self.set2set(out, batch)).relu())


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
    node, senders, receivers = (torch.from_numpy(np.ascontiguousarray(x)) for x in graph())
    outputs = {
        "gin": authors_gin()[None],
        "gin_pyg": filled(PygGin())(X, EDGES, BATCH)[None],
        "mpnn": filled(Mpnn())(X, EDGES, ARRAYS["edge"], BATCH)[None],
        "sage": filled(Sage())(node, torch.stack([senders, receivers]).long()),
    }
    arrays = {name: out.numpy() for name, out in outputs.items()}
    np.savez_compressed(GOLDEN / "graph_networks.npz", **arrays)


main()
