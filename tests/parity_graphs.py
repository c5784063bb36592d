"""The rows of parity of networks on graphs."""

from parity.cases import GIN, MPNN, graph, pack
from parity_rows import SHORT, Row

from dljax.models.graphs import gat, gcn, gin, graphsage, mpnn
from dljax.weights import gat as gat_names
from dljax.weights import gcn as gcn_names
from dljax.weights import gin as gin_names
from dljax.weights import graphsage as graphsage_names
from dljax.weights import mpnn as mpnn_names

WHOLE, FILE = "sequences_and_graphs.npz", "graph_networks.npz"
_NAMES = ("node", "senders", "receivers", "graph_id", "node_mask", "graph_mask")
_WITH_EDGES = ("node", "edge", "senders", "receivers", "graph_id", "graph_mask")
_PACK = tuple(pack()[name] for name in _NAMES)

GRAPH_ROWS = {
    "PyG's GCN": Row(
        gcn, "cora", {"hidden": 6, "classes": 4}, gcn_names, graph(), (WHOLE, "gcn"), SHORT
    ),
    "PyG's GAT": Row(
        gat,
        "cora",
        {"features": 3, "heads": 4, "classes": 5},
        gat_names,
        graph(),
        (WHOLE, "gat"),
        SHORT,
    ),
    "PyG's GraphSAGE": Row(
        graphsage,
        "cora",
        {"hidden": 6, "classes": 4},
        graphsage_names,
        graph(),
        (FILE, "sage"),
        SHORT,
    ),
    "the authors' GIN": Row(gin, "32", GIN, gin_names, _PACK, (FILE, "gin"), SHORT),
    "PyG's GIN": Row(gin, "pyg", GIN, gin_names, _PACK, (FILE, "gin_pyg"), SHORT),
    "PyG's MPNN": Row(
        mpnn,
        "qm9",
        MPNN,
        mpnn_names,
        tuple(pack()[name] for name in _WITH_EDGES),
        (FILE, "mpnn"),
        SHORT,
    ),
}
