"""Molecules from SMILES are RDKit's; what is outside of the subset is one line."""

import json
from pathlib import Path

import numpy as np
import pytest

from dljax.data.datasets import molecules
from dljax.data.datasets.molecules import alike, graph_of
from dljax.data.sources.smiles import parse
from dljax.errors import UserError

FACTS = json.loads((Path(__file__).parent / "parity" / "golden" / "smiles.json").read_text())


@pytest.mark.parametrize("facts", FACTS.values(), ids=FACTS)
def test_a_molecule_is_rdkits(facts):
    found = parse(facts["smiles"])
    for name in ("symbols", "aromatic", "charge", "hydrogens"):
        assert list(getattr(found, name)) == facts[name], name
    rows = zip(found.bonds.tolist(), found.order.tolist(), found.ring.tolist(), strict=True)
    assert sorted([*sorted(pair), order, ring] for pair, order, ring in rows) == facts["bonds"]


@pytest.mark.parametrize(
    "smiles, words",
    [
        ("C1CC", "position 4: a ring or a branch is not closed"),
        ("C(C", "a ring or a branch is not closed"),
        ("CC)C", "position 2: a branch ends that did not begin"),
        ("CQ", "position 1: 'Q' is not in the subset"),
        ("C[Xx", r"position 1: '\[Xx' is not in the subset"),
        ("1CC1", "position 0: a ring begins before any atom"),
        ("", "position 0: no atom"),
        ("CC=", "position 3: a bond leads to no atom"),
        ("C(=)C", "position 3: a bond leads to no atom"),
        ("C==C", "position 2: a bond that does not follow an atom"),
        ("C1C1", "position 3: a ring joins an atom to itself or to its neighbor"),
    ],
)
def test_what_is_no_smiles_is_one_line(smiles, words):
    with pytest.raises(UserError, match=words) as error:
        parse(smiles)
    assert "\n" not in str(error.value)


def test_the_graph_of_a_molecule_by_hand():
    """Vinyl alcohol, C=C-O: three atoms; each bond in both directions with the same features."""
    graph = graph_of(parse("C=CO"), -1.5)
    assert graph.label == -1.5 and graph.node.shape == (3, 15)
    # Elements C, C, O of ten; no aromatic, no ring, no charge; 2, 1 and 1 hydrogens; 1, 2 and 1 bonds.
    np.testing.assert_array_equal(graph.node[:, [0, 2]], [[1, 0], [1, 0], [0, 1]])
    np.testing.assert_array_equal(graph.node[:, 10:13], np.zeros((3, 3)))
    np.testing.assert_array_equal(graph.node[:, 13:], [[0.5, 0.25], [0.25, 0.5], [0.25, 0.25]])
    edges = list(zip(graph.senders, graph.receivers, strict=True))
    assert edges == [(0, 1), (1, 2), (1, 0), (2, 1)]
    double, single = [0, 1, 0, 0, 0], [1, 0, 0, 0, 0]
    np.testing.assert_array_equal(graph.edge, [double, single, double, single])


def test_one_atom_has_no_edges():
    graph = graph_of(parse("C"), 0)
    assert graph.node.shape == (1, 15) and graph.edge.shape == (0, 5) and len(graph.senders) == 0


def test_one_molecule_written_twice_is_alike():
    """So that a random split has no molecule in two parts."""
    pairs = [("OCC", "CCO"), ("c1ccccc1C", "Cc1ccccc1"), ("O=N(=O)C", "C[N+](=O)[O-]")]
    assert all(alike(parse(a)) == alike(parse(b)) for a, b in pairs)
    others = ["CCO", "COC", "CC=O", "CCN", "CC[O-]", "c1ccccc1", "C1CCCCC1"]
    assert len({alike(parse(smiles)) for smiles in others}) == len(others)


def test_the_alkanes_are_all_there():
    """1, 1, 1, 2, 3, 5, 9 and 18 isomers of one to eight carbons, none twice."""
    rows = molecules._rows("alkanes", "")
    found = [parse(smiles) for smiles, _, _ in rows]
    assert np.bincount([len(x.symbols) for x in found])[1:].tolist() == [1, 1, 1, 2, 3, 5, 9, 18]
    assert len({alike(x) for x in found}) == 40
    hydrogens = [int(x.hydrogens.sum()) for x in found]
    assert hydrogens == [2 * len(x.symbols) + 2 for x in found]
    parts = molecules.load("alkanes")
    assert len(parts.train) + len(parts.validation) + len(parts.test) == 40


def test_files_of_molecules(tmp_path):
    """A molecule that is written twice is in one part, whatever the draw."""
    rows = [f"a; {'C' * i}O; n; {-i}; 0; {-i - 1}; 0" for i in range(1, 11)]
    rows += [f"a; O{'C' * i}; n; {-i}; 0; {-i - 1}; 0" for i in range(1, 11)]
    (tmp_path / "database.txt").write_text("# a comment; with marks\n" + "\n".join(rows))
    for split in range(4):
        parts = molecules.load("freesolv", 1, split=split, data=str(tmp_path))
        sizes = [len(parts.train), len(parts.validation), len(parts.test)]
        assert sum(sizes) == 20 and all(size % 2 == 0 for size in sizes)
        np.testing.assert_allclose(parts.linear, 1.0)  # each computed value is 1 below
        label = np.concatenate([parts.train._graphs[i].label[None] for i in range(sizes[0])])
        assert abs(label.mean()) < 1e-6 and abs(label.std() - 1) < 1e-6
    with pytest.raises(UserError, match="no file .*database.txt.*--data FOLDER"):
        molecules.load("freesolv")
    (tmp_path / "database.txt").write_text("a; C; n; x; 0; 1; 0")
    with pytest.raises(UserError, match="not as it was published"):
        molecules.load("freesolv", data=str(tmp_path))
