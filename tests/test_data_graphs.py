"""Graphs: a whole one as a batch, and files in the Planetoid format."""

import collections
import pickle

import numpy as np
import pytest

from dljax.data import EvalSet, Pipeline
from dljax.data.datasets import cora, digit_graph
from dljax.errors import UserError


def test_a_whole_graph_is_one_batch_for_every_device():
    train, validation, test = digit_graph.load(fake=True)
    batch = Pipeline(train, 1).batch(41)
    assert batch["node"].shape == (1797, 64) and batch["mask"].sum() == 100
    (whole,) = EvalSet(test).batches(1)
    np.testing.assert_array_equal(whole["mask"], test.mask)
    assert (train.mask + validation.mask + test.mask == 1).all()


class Malicious:
    def __reduce__(self):
        return open, ("executed.txt", "w")


def test_a_malicious_file_is_refused_and_not_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for payload in (Malicious(), [Malicious()], np.array([Malicious()], object)):
        (tmp_path / "ind.cora.graph").write_bytes(pickle.dumps(payload, protocol=2))
        with pytest.raises(UserError, match="no Planetoid file"):
            cora.read(tmp_path / "ind.cora.graph")
    assert not (tmp_path / "executed.txt").exists()


@pytest.mark.parametrize("content", [b"", b"\x80\x02", b"not a pickle", pickle.dumps({1: 2})])
def test_a_damaged_file_is_one_line(tmp_path, content):
    (tmp_path / "ind.cora.x").write_bytes(content)
    with pytest.raises(UserError, match="no Planetoid file"):
        cora.read(tmp_path / "ind.cora.x")


def _planetoid(folder, sparse):
    """A graph of 3 + 3 nodes, of which node 4 (a test node) is missing, as in Citeseer."""
    one_hot = np.eye(2, dtype=np.int32)

    def write(name, value):
        (folder / f"ind.citeseer.{name}").write_bytes(pickle.dumps(value, protocol=3))

    features = np.arange(1, 7, dtype=np.float32).reshape(3, 2)
    write("x", sparse(features[:1]))
    write("allx", sparse(features))
    write("tx", sparse(np.array([[0, 8], [9, 0]], np.float32)))
    write("y", one_hot[[0]])
    write("ally", one_hot[[0, 1, 1]])
    write("ty", one_hot[[1, 0]])
    links = collections.defaultdict(list, {0: [1, 1, 0], 1: [0], 2: [5], 3: [], 5: [2]})
    write("graph", links)
    (folder / "ind.citeseer.test.index").write_text("5\n3\n")


def test_planetoid_files_with_missing_nodes(tmp_path):
    sparse = pytest.importorskip("scipy.sparse")
    _planetoid(tmp_path, sparse.csr_matrix)
    train, _, test = cora.load(str(tmp_path), "citeseer")
    expected = [[1 / 3, 2 / 3], [3 / 7, 4 / 7], [5 / 11, 6 / 11], [1, 0], [0, 0], [0, 1]]
    np.testing.assert_allclose(train.node, expected, rtol=1e-6)  # float32 rounding
    np.testing.assert_array_equal(train.label, [0, 1, 1, 0, 0, 1])
    np.testing.assert_array_equal(train.mask, [1, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(test.mask, [0, 0, 0, 1, 0, 1])
    edges = set(zip(train.senders.tolist(), train.receivers.tolist(), strict=True))
    assert edges == {(0, 1), (1, 0), (2, 5), (5, 2)}  # loops and repeated links are dropped


def test_absent_files_name_the_ways_out():
    with pytest.raises(UserError, match="--data FOLDER; or try --fake true"):
        cora.load("/nowhere")


def test_a_folder_for_the_graph_of_digits_is_refused():
    with pytest.raises(UserError, match="--data there: .* reads no files"):
        digit_graph.load(data="there")
