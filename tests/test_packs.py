"""Graphs as examples: one rule for their edges, and small ones in padded packs of one shape."""

import numpy as np
import pytest

from dljax.data import EvalSet, Pipeline
from dljax.data.sources.graph import Graph, Packs, WholeGraph, kept, undirected
from dljax.errors import UserError


def ints(*values) -> np.ndarray:
    return np.array(values, np.int64)


NONE = ints()
# A path 0-1-2 in both directions, a node alone, and an edge in one direction beside a node alone.
PATH = Graph(
    np.array([[1.0], [2.0], [3.0]]), ints(0, 1, 1, 2), ints(1, 0, 2, 1), 10, ints(5, 5, 6, 6)
)
ATOM = Graph(np.array([[4.0]]), NONE, NONE, 20, NONE)
PAIR = Graph(np.array([[7.0], [8.0], [9.0]]), ints(2), ints(0), 30, ints(1))
THREE = [PATH, ATOM, PAIR]


def test_three_graphs_by_hand():
    """Two to a pack: the two largest have 6 nodes and 5 edges, so there are 7 nodes and 3 graphs."""
    packs = Packs(THREE, 2)
    assert (len(packs), packs.per, packs.nodes, packs.edges) == (3, 2, 7, 5)
    got = packs.gather(ints(0, 1, 2, -1))
    expected = {
        "node": [[1, 2, 3, 4, 0, 0, 0], [7, 8, 9, 0, 0, 0, 0]],
        "graph_id": [[0, 0, 0, 1, 2, 2, 2], [0, 0, 0, 2, 2, 2, 2]],
        "node_mask": [[1, 1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0, 0]],
        # sorted by receiver, then sender; the rest join the last node to itself
        "senders": [[1, 0, 2, 1, 6], [2, 6, 6, 6, 6]],
        "receivers": [[0, 1, 1, 2, 6], [0, 6, 6, 6, 6]],
        "edge": [[5, 5, 6, 6, 0], [1, 0, 0, 0, 0]],
        "edge_mask": [[1, 1, 1, 1, 0], [1, 0, 0, 0, 0]],
        "label": [[10, 20, 0], [30, 0, 0]],
        "graph_mask": [[1, 1, 0], [1, 0, 0]],
    }
    assert got.keys() == expected.keys()
    expected["node"] = np.array(expected["node"])[..., None]
    for name, value in expected.items():
        np.testing.assert_array_equal(got[name], value, err_msg=name)
    floats = {"node", "node_mask", "edge_mask", "graph_mask"}
    for name, value in got.items():
        assert value.dtype == (np.float32 if name in floats else np.int32), name


def test_a_second_graphs_edges_point_to_its_own_nodes():
    got = Packs(THREE, 2).gather(ints(1, 0))
    np.testing.assert_array_equal(got["senders"], [[2, 1, 3, 2, 6]])
    np.testing.assert_array_equal(got["receivers"], [[1, 2, 2, 3, 6]])
    np.testing.assert_array_equal(got["graph_id"], [[0, 1, 1, 1, 2, 2, 2]])
    np.testing.assert_array_equal(got["edge"], [[5, 5, 6, 6, 0]])


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (2, 1, 0)])
def test_the_order_in_a_pack_does_not_change_the_graphs(order):
    """Each graph's nodes, and the sum of its neighbors', as they are where it stands alone."""
    packs = Packs(THREE, 3)
    pack = {k: v[0] for k, v in packs.gather(ints(*order)).items()}
    nodes = pack["node"][:, 0]
    received = np.zeros(packs.nodes)
    np.add.at(received, pack["receivers"], pack["edge_mask"] * nodes[pack["senders"]])
    for slot, index in enumerate(order):
        inside = pack["graph_id"] == slot
        assert pack["label"][slot] == THREE[index].label and pack["graph_mask"][slot] == 1
        np.testing.assert_array_equal(nodes[inside], THREE[index].node[:, 0])
        expected = {0: [2, 4, 2], 1: [0], 2: [9, 0, 0]}[index]
        np.testing.assert_array_equal(received[inside], expected)
    assert not received[pack["node_mask"] == 0].any()


def test_every_graph_once_per_epoch():
    graphs = [Graph(np.full((1 + i % 3, 1), i), NONE, NONE, i) for i in range(12)]
    data = Pipeline(Packs(graphs, 3), 2, seed=1)
    batches = [data.batch(step) for step in range(4)]
    labels = np.concatenate([b["label"][b["graph_mask"] > 0] for b in batches])
    assert sorted(labels[:12]) == sorted(labels[12:]) == list(range(12))
    for batch in batches:  # features and labels stay together
        label = np.take_along_axis(batch["label"], batch["graph_id"], 1)
        np.testing.assert_array_equal(batch["node"][..., 0], label * batch["node_mask"])


def test_evaluation_counts_every_graph_once():
    batches = list(EvalSet(Packs(THREE, 2)).batches(3))
    assert len(batches) == 1 and batches[0]["mask"].tolist() == [1, 1]
    np.testing.assert_array_equal(batches[0]["graph_mask"], [[1, 1, 0], [1, 0, 0]])
    empty = list(EvalSet(Packs([PATH] * 5, 2)).batches(2))[-1]
    assert empty["mask"].tolist() == [1, 0]
    np.testing.assert_array_equal(empty["graph_mask"], [[1, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(empty["node_mask"][1], np.zeros(7))


def test_graphs_without_edges_or_features_of_edges():
    packs = Packs([Graph(np.ones((2, 3)), NONE, NONE, np.zeros(4))] * 3, 2)
    got = packs.gather(ints(0, 1))
    assert got["senders"].shape == (1, 0) and "edge" not in got
    assert got["label"].shape == (1, 3, 4) and got["label"].dtype == np.float32
    assert got["node_mask"].sum() == 4 and got["node"].shape == (1, 5, 3)


def test_a_budget_of_ones_own():
    packs = Packs(THREE, 2, nodes=16, edges=8)
    got = packs.gather(ints(0, 2))
    assert got["node"].shape == (1, 16, 1) and got["edge_mask"].sum() == 5
    np.testing.assert_array_equal(got["senders"][0, 5:], [15, 15, 15])


TWO = Graph(np.zeros((2, 1)), ints(0), ints(1), 0, ints(0))
REFUSED = {
    "few nodes": (dict(graphs=THREE, per=2, nodes=6), r"6 nodes and 5 edges.* need 7 and 5"),
    "few edges": (dict(graphs=THREE, per=2, edges=4), r"7 nodes and 4 edges.* need 7 and 5"),
    "no graphs": (dict(graphs=[], per=2), "of 0 graphs"),
    "none to a pack": (dict(graphs=THREE, per=0), "packs of 0"),
    "no nodes": (
        dict(graphs=[PATH, Graph(np.zeros((0, 1)), NONE, NONE, 0, NONE)], per=1),
        "graph 1 has no nodes",
    ),
    "an absent node": (
        dict(graphs=[PATH, Graph(np.zeros((2, 1)), ints(0, 1), ints(1, 2), 0, ints(0, 0))], per=1),
        "graph 1: edge 1 goes from node 1 to node 2, but its nodes are 0 to 1",
    ),
    "another kind of node": (
        dict(graphs=[TWO, Graph(np.zeros((2, 3)), NONE, NONE, 0, NONE)], per=1),
        r"graph 1 has node float32 \('n', 3\)",
    ),
    "another kind of label": (
        dict(graphs=[TWO, Graph(np.zeros((2, 1)), NONE, NONE, 0.5, NONE)], per=1),
        r"label float32 \('n',\).*, and graph 0 .*label int32",
    ),
    "no features of edges": (
        dict(graphs=[TWO, Graph(np.zeros((2, 1)), NONE, NONE, 0)], per=1),
        "expected the same for all",
    ),
    "edges of two lengths": (
        dict(graphs=[Graph(np.zeros((2, 1)), ints(0, 1), ints(1), 0)], per=1),
        r"graph 0: edges of shapes \(2,\), \(1,\)",
    ),
    "edges that are no integers": (
        dict(graphs=[Graph(np.zeros((2, 1)), np.array([0.5]), ints(1), 0)], per=1),
        "edges of float64, expected integers",
    ),
}


@pytest.mark.parametrize("given, words", REFUSED.values(), ids=REFUSED)
def test_wrong_graphs_are_one_line(given, words):
    with pytest.raises(UserError, match=words) as error:
        Packs(**given)
    assert "\n" not in str(error.value)


# The rule of edges

#          edge:   0  1  2  3  4  5
SENDERS = ints(0, 2, 0, 1, 0, 1)
RECEIVERS = ints(1, 2, 1, 0, 1, 2)
TYPES = ints(0, 0, 1, 0, 0, 0)


def test_loops_go_and_edges_count_once():
    """Edge 1 is a loop; 2 and 4 repeat 0; 3 is 0 in the other direction, another edge."""
    assert kept(SENDERS, RECEIVERS, 3).tolist() == [3, 0, 5]


def test_edges_of_other_types_are_other_edges():
    assert kept(SENDERS, RECEIVERS, 3, TYPES).tolist() == [3, 0, 2, 5]
    features = np.stack([np.zeros(6), TYPES / 3], 1)
    assert kept(SENDERS, RECEIVERS, 3, features).tolist() == [3, 0, 2, 5]


@pytest.mark.parametrize("sender, receiver", [(0, 3), (3, 0), (-1, 0), (0, -1), (3, 3)])
def test_an_edge_to_a_node_that_is_not_there_is_named(sender, receiver):
    with pytest.raises(UserError, match=f"edge 1 goes from node {sender} to node {receiver}"):
        kept(ints(0, sender), ints(1, receiver), 3)


def whole(**changes) -> WholeGraph:
    arrays = {"senders": SENDERS, "receivers": RECEIVERS, "label": np.zeros(3, np.int32)}
    return WholeGraph(**{"node": np.ones((3, 2)), "mask": np.zeros(3), **arrays, **changes})


def edges(graph) -> list[tuple[int, int]]:
    return list(zip(graph.senders.tolist(), graph.receivers.tolist(), strict=True))


def test_the_rule_holds_for_every_source():
    simple, typed = [(1, 0), (0, 1), (1, 2)], [(1, 0), (0, 1), (0, 1), (1, 2)]
    assert edges(whole()) == simple and edges(whole().of(ints(1))) == simple
    assert edges(whole(kind=TYPES)) == typed
    assert whole(kind=TYPES).gather(ints(0))["kind"].tolist() == [0, 0, 1, 0]
    (small,) = (
        Packs([Graph(np.ones((3, 2)), SENDERS, RECEIVERS, 0, e)], 1).gather(ints(0))
        for e in (TYPES,)
    )
    assert list(zip(small["senders"][0], small["receivers"][0], strict=True)) == typed
    pairs = np.stack([SENDERS, RECEIVERS], 1)
    both = list(zip(*(x.tolist() for x in undirected(pairs, 3)), strict=True))
    assert both == [(1, 0), (0, 1), (2, 1), (1, 2)]
    with pytest.raises(UserError, match="edge 0 goes from node 0 to node 1"):
        undirected(pairs, 1)


def test_a_whole_graphs_arrays_have_one_length():
    for name in ("label", "mask"):
        with pytest.raises(UserError, match="a graph of 3 nodes"):
            whole(**{name: np.zeros(2)})


def test_a_whole_graph_says_so():
    assert Pipeline(whole(), 1).whole and Pipeline(whole(), 1).constant
    (batch,) = EvalSet(whole().of(ints(2))).batches(64)
    assert batch["mask"].tolist() == [0, 0, 1] and batch["node"].shape == (3, 2)
