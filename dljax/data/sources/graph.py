"""Graphs as examples: one whole graph whose nodes are classified, or many small ones in padded packs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dljax.data.pipeline import Examples
from dljax.errors import UserError


def kept(
    senders: np.ndarray,
    receivers: np.ndarray,
    nodes: int,
    about: np.ndarray | None = None,
    *,
    name: str = "graph",
) -> np.ndarray:
    """Positions of the edges that count, int64, sorted by receiver, then sender, then type.

    One rule for every graph. A self-loop is dropped: GCN and GAT add one to each node themselves, and
    MPNN, GIN, GraphSAGE and R-GCN have a term of a node's own; with both it would count twice. An
    edge that occurs twice counts once, the first time, as in a 0-1 adjacency matrix. Edges of other
    types or features between the same nodes are other edges. Direction is kept.

    Args:
        senders, receivers: integers [e].
        nodes: number of nodes.
        about: type [e] or features [e, f] of each edge, if it has any.
        name: of the graph in an error.

    Raises:
        UserError: an edge to a node that is not there, or arrays of different lengths.
    """
    columns = [np.asarray(receivers), np.asarray(senders)]
    if about is not None:
        columns += [*np.reshape(about, (len(about), math.prod(np.shape(about)[1:]))).T]
    if len({column.shape for column in columns}) > 1 or columns[0].ndim != 1:
        shapes = ", ".join(str(np.shape(x)) for x in (senders, receivers, about) if x is not None)
        raise UserError(f"{name}: edges of shapes {shapes}, expected one row for each edge in all")
    if any(column.size and column.dtype.kind not in "iu" for column in columns[:2]):
        raise UserError(f"{name}: edges of {columns[1].dtype}, expected integers: numbers of nodes")
    absent = np.flatnonzero([(c < 0) | (c >= nodes) for c in columns[:2]])
    if len(absent):
        edge = absent[0] % len(senders)
        raise UserError(
            f"{name}: edge {edge} goes from node {senders[edge]} to node {receivers[edge]}, but its "
            f"nodes are 0 to {nodes - 1}: remove the edge, or add the node"
        )
    order = np.lexsort(columns[::-1])
    first = np.ones(len(order), bool)
    first[1:] = np.any([column[order[1:]] != column[order[:-1]] for column in columns], axis=0)
    loop = columns[0][order] == columns[1][order]
    return order[first & ~loop]


def undirected(pairs: np.ndarray, n: int, name: str = "graph") -> tuple[np.ndarray, np.ndarray]:
    """(senders, receivers) of the pairs [m, 2] in both directions, int32, by the rule of ``kept``."""
    pairs = pairs.reshape(-1, 2)
    senders, receivers = np.concatenate([pairs, pairs[:, ::-1]]).astype(np.int32).T
    edges = kept(senders, receivers, n, name=name)
    return senders[edges], receivers[edges]


@dataclass(frozen=True)
class WholeGraph:
    """A graph as one example, with a mask of its nodes that count.

    Every device is given the whole graph; ``kept`` chooses its edges.

    Attributes:
        node: float32 [n, d], features.
        senders, receivers: int32 [e], edges; an undirected edge occurs in both directions.
        label: int32 [n].
        mask: float32 [n], 1 where the node's loss and metrics count.
        kind: int32 [e], type of each edge, where there are several.

    Raises:
        UserError: an edge to a node that is not there, or arrays of different lengths.
    """

    node: np.ndarray
    senders: np.ndarray
    receivers: np.ndarray
    label: np.ndarray
    mask: np.ndarray
    kind: np.ndarray | None = None

    whole = True

    def __post_init__(self):
        n = len(self.node)
        if len(self.label) != n or len(self.mask) != n:
            raise UserError(
                f"a graph of {n} nodes, {len(self.label)} labels and a mask of {len(self.mask)}: "
                "expected one for each node"
            )
        edges = kept(self.senders, self.receivers, n, self.kind)
        for name in ("senders", "receivers", "kind"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, getattr(self, name)[edges])

    def __len__(self) -> int:
        return 1

    def gather(self, indices: np.ndarray) -> Examples:
        arrays = {
            "node": self.node,
            "senders": self.senders,
            "receivers": self.receivers,
            "label": self.label,
            "mask": self.mask,
        }
        return arrays if self.kind is None else {**arrays, "kind": self.kind}

    def of(self, nodes: np.ndarray) -> "WholeGraph":
        """The same graph, with these nodes (indices) counting."""
        mask = np.zeros(len(self.label), np.float32)
        mask[nodes] = 1
        return replace(self, mask=mask)


@dataclass(frozen=True)
class Graph:
    """One of many small graphs.

    Attributes:
        node: [n, d], features; or [n], kinds.
        senders, receivers: integers [e]; an undirected edge occurs in both directions.
        label: of the graph, of any shape.
        edge: [e, f] or [e], features or kinds of the edges, where they have any.
    """

    node: np.ndarray
    senders: np.ndarray
    receivers: np.ndarray
    label: np.ndarray | float
    edge: np.ndarray | None = None


def _short(array: Any) -> np.ndarray:
    """The array in 32 bits, as jax holds numbers."""
    array = np.asarray(array)
    kinds = {"f": np.float32, "i": np.int32, "u": np.int32}
    return array.astype(kinds.get(array.dtype.kind, array.dtype), copy=False)


def _checked(graph: Graph, name: str) -> Graph:
    """The graph in 32 bits, with the edges that count."""
    if not len(graph.node):
        raise UserError(f"{name} has no nodes: leave it out")
    edge = None if graph.edge is None else _short(graph.edge)
    edges = kept(graph.senders, graph.receivers, len(graph.node), edge, name=name)
    return Graph(
        _short(graph.node),
        _short(graph.senders)[edges],
        _short(graph.receivers)[edges],
        _short(graph.label),
        None if edge is None else edge[edges],
    )


def _kind(graph: Graph) -> str:
    """Shapes and types that all graphs of a set have in common."""
    arrays = {"node": graph.node, "label": np.asarray(graph.label)[None]}
    arrays |= {} if graph.edge is None else {"edge": graph.edge}
    return ", ".join(f"{k} {x.dtype} {('n', *x.shape[1:])}" for k, x in arrays.items())


class Packs:
    """Small graphs, ``per`` of them to a padded row, a pack; all packs have one shape.

    A pack has room for any ``per`` graphs and at least one node and one graph of padding. Its real
    nodes, edges and graphs come first, in order; ``kept`` chooses the edges.

    Gathers, of p packs with N nodes, E edges and G = per + 1 graphs each:

    - ``node`` [p, N, d], ``edge`` [p, E, f] if the graphs have any, ``label`` [p, G, ...]; 0 in padding;
    - ``senders``, ``receivers`` int32 [p, E]: nodes of the pack; padding edges join the last node,
      which is padding, to itself;
    - ``graph_id`` int32 [p, N]: the graph of each node; padding nodes belong to the last graph, which
      is padding;
    - ``node_mask`` [p, N], ``edge_mask`` [p, E], ``graph_mask`` [p, G] float32: 0 in padding.
    """

    def __init__(self, graphs: Sequence[Graph], per: int, *, nodes: int = 0, edges: int = 0):
        """Check the graphs and find the packs' size.

        Args:
            graphs: all with nodes, labels and edges of the same kinds.
            per: graphs to a pack.
            nodes: N; 0 is as many as the ``per`` largest graphs have, and one.
            edges: E; 0 is as many as the ``per`` graphs with the most edges have.

        Raises:
            UserError: no graphs; one without nodes, unlike the first or with an edge to a node that is
                not there; a budget too small for some ``per`` graphs.
        """
        if per < 1 or not graphs:
            raise UserError(f"packs of {per} of {len(graphs)} graphs: expected at least 1 of each")
        self.per = per
        self._graphs = [_checked(graph, f"graph {i}") for i, graph in enumerate(graphs)]
        for i, graph in enumerate(self._graphs):
            if _kind(graph) != _kind(self._graphs[0]):
                raise UserError(
                    f"graph {i} has {_kind(graph)}, and graph 0 {_kind(self._graphs[0])}: expected the "
                    "same for all"
                )

        def worst(sizes: list[int]) -> int:
            return sum(sorted(sizes)[-per:])

        most_nodes = worst([len(graph.node) for graph in self._graphs]) + 1
        most_edges = worst([len(graph.senders) for graph in self._graphs])
        self.nodes, self.edges = nodes or most_nodes, edges or most_edges
        if self.nodes < most_nodes or self.edges < most_edges:
            raise UserError(
                f"a pack of {self.nodes} nodes and {self.edges} edges: the {per} largest graphs and "
                f"one node of padding need {most_nodes} and {most_edges}"
            )

    def __len__(self) -> int:
        return len(self._graphs)

    def gather(self, indices: np.ndarray) -> Examples:
        packs, first = np.asarray(indices).reshape(-1, self.per), self._graphs[0]
        p, last_node = len(packs), self.nodes - 1
        label = np.asarray(first.label)[None]
        shapes = {"node": (self.nodes, first.node), "label": (self.per + 1, label)}
        if first.edge is not None:
            shapes["edge"] = (self.edges, first.edge)
        out = {k: np.zeros((p, n, *like.shape[1:]), like.dtype) for k, (n, like) in shapes.items()}
        for name in ("senders", "receivers"):
            out[name] = np.full((p, self.edges), last_node, np.int32)
        out["graph_id"] = np.full((p, self.nodes), self.per, np.int32)
        masks = {"node_mask": self.nodes, "edge_mask": self.edges, "graph_mask": self.per + 1}
        out |= {name: np.zeros((p, n), np.float32) for name, n in masks.items()}
        for pack, members in enumerate(packs):
            node = edge = 0
            for slot, index in enumerate(members):
                if index < 0:
                    continue
                graph = self._graphs[index]
                nodes = slice(node, node + len(graph.node))
                edges = slice(edge, edge + len(graph.senders))
                out["node"][pack, nodes] = graph.node
                out["graph_id"][pack, nodes] = slot
                out["node_mask"][pack, nodes] = 1
                out["senders"][pack, edges] = graph.senders + node
                out["receivers"][pack, edges] = graph.receivers + node
                out["edge_mask"][pack, edges] = 1
                if graph.edge is not None:
                    out["edge"][pack, edges] = graph.edge
                out["label"][pack, slot] = graph.label
                out["graph_mask"][pack, slot] = 1
                node, edge = nodes.stop, edges.stop
        return out
