"""Quantities of small molecules: boiling points of alkanes, ESOL's solubilities, FreeSolv's energies.

- "alkanes": the 40 alkanes of one to eight carbons and their boiling points at normal pressure, in degrees
  Celsius as handbooks round them to 0.1; the subject of Wiener 1947, doi:10.1021/ja01193a005. They stand in
  this file.
- "esol": log10 of the solubility in water, mol/l, of 1,128 compounds. Delaney 2004, doi:10.1021/ci034243x.
- "freesolv": hydration free energies, kcal/mol, of 642 compounds. Mobley & Guthrie 2014,
  doi:10.1007/s10822-014-9747-x.
"""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dljax.data import fake as fake_data
from dljax.data.sources import embedded
from dljax.data.sources.graph import Graph, Packs
from dljax.data.sources.smiles import Molecule, parse
from dljax.errors import UserError

ELEMENTS = ("C", "N", "O", "F", "P", "S", "Cl", "Br", "I")
FEATURES, EDGES = len(ELEMENTS) + 6, 5
UNITS = {"alkanes": "boiling point, C", "esol": "log10 mol/l", "freesolv": "kcal/mol"}
_FILES = {"esol": "delaney-processed.csv", "freesolv": "database.txt"}
_ALKANES = """
C -161.5  CC -88.6  CCC -42.1  CCCC -0.5  CC(C)C -11.7  CCCCC 36.1  CCC(C)C 27.8  CC(C)(C)C 9.5
CCCCCC 68.7  CCCC(C)C 60.3  CCC(C)CC 63.3  CCC(C)(C)C 49.7  CC(C)C(C)C 58.0
CCCCCCC 98.4  CCCCC(C)C 90.1  CCCC(C)CC 91.9  CCC(CC)CC 93.5  CCCC(C)(C)C 79.2  CCC(C)C(C)C 89.8
CC(C)CC(C)C 80.5  CCC(C)(C)CC 86.1  CC(C)C(C)(C)C 80.9
CCCCCCCC 125.7  CCCCCC(C)C 117.6  CCCCC(C)CC 118.9  CCCC(C)CCC 117.7  CCCC(CC)CC 118.5
CCCCC(C)(C)C 106.8  CCCC(C)C(C)C 115.6  CCC(C)CC(C)C 109.4  CC(C)CCC(C)C 109.1  CCCC(C)(C)CC 112.0
CCC(C)C(C)CC 117.7  CCC(CC)C(C)C 115.6  CCC(C)(CC)CC 118.2  CC(C)C(C)C(C)C 113.5
CCC(C)C(C)(C)C 109.8  CC(C)CC(C)(C)C 99.2  CCC(C)(C)C(C)C 114.7  CC(C)(C)C(C)(C)C 106.5
"""


class Molecules(NamedTuple):
    """A set in three parts, each packs of graphs whose ``label`` is (value - center) / scale, float32.

    Attributes:
        center, scale: mean and standard deviation of the training values.
        linear: root mean square error on the test part of the file's own model, of a line over the number of
            carbons for alkanes.
        smiles: of the test part, in order.
    """

    train: Packs
    validation: Packs
    test: Packs
    center: float
    scale: float
    linear: float
    smiles: tuple[str, ...]


def graph_of(molecule: Molecule, label: float) -> Graph:
    """The graph of a molecule, bonds in both directions with the same features.

    Returns:
        Nodes [n, 15]: element of ``ELEMENTS`` or another, one-hot; aromatic; in a ring; charge; hydrogens / 4;
        degree / 4. Edges [e, 5]: single, double, triple, aromatic; in a ring.
    """
    kinds = [ELEMENTS.index(s) if s in ELEMENTS else len(ELEMENTS) for s in molecule.symbols]
    ring = np.zeros(len(kinds))
    ring[molecule.bonds[molecule.ring].ravel()] = 1
    more = (molecule.aromatic, ring, molecule.charge, molecule.hydrogens / 4, molecule.degree / 4)
    node = np.concatenate([np.eye(len(ELEMENTS) + 1)[kinds], np.stack(more, 1)], 1)
    orders = np.stack([molecule.order == x for x in (1, 2, 3, 1.5)] + [molecule.ring], 1)
    senders, receivers = np.concatenate([molecule.bonds, molecule.bonds[:, ::-1]]).T
    edge = np.concatenate([orders, orders]).astype(np.float32)
    return Graph(node.astype(np.float32), senders, receivers, np.asarray(label, np.float32), edge)


def alike(molecule: Molecule, rounds: int = 4) -> int:
    """A number that two ways of writing one molecule share: that of its atoms' colors after some rounds of the
    Weisfeiler-Lehman test.
    """
    parts = (molecule.aromatic, molecule.charge, molecule.hydrogens)
    color = [hash(x) for x in zip(map(_number, molecule.symbols), *parts, strict=True)]
    for _ in range(rounds):
        near: list[list[tuple[float, int]]] = [[] for _ in color]
        for (a, b), order in zip(molecule.bonds.tolist(), molecule.order.tolist(), strict=True):
            near[a].append((order, color[b]))
            near[b].append((order, color[a]))
        color = [hash((own, tuple(sorted(n)))) for own, n in zip(color, near, strict=True)]
    return hash(tuple(sorted(color)))


def _number(symbol: str) -> int:
    """A number for an element; a text's own hash differs from run to run."""
    return int.from_bytes(symbol.encode(), "big")


def _rows(name: str, data: str) -> list[tuple[str, float, float]]:
    """(SMILES, value, the file's own model's value) of each molecule; of alkanes the number of carbons."""
    if name == "alkanes":
        embedded(data)
        words = _ALKANES.split()
        return [(s, float(x), s.count("C")) for s, x in zip(words[::2], words[1::2], strict=True)]
    file = Path(data) / _FILES[name]
    if not data or not file.is_file():
        raise UserError(
            f"no file '{file}': give the folder of {file.name} with --data FOLDER; or try --fake true"
        )
    text = file.read_text(encoding="utf-8")
    try:
        if name == "freesolv":
            rows = [line.split(";") for line in text.splitlines() if not line.startswith("#")]
            return [(row[1].strip(), float(row[3]), float(row[5])) for row in rows]
        measured, predicted = (
            f"{what} log solubility in mols per litre" for what in ("measured", "ESOL predicted")
        )
        return [
            (row["smiles"].strip(), float(row[measured]), float(row[predicted]))
            for row in csv.DictReader(text.splitlines())
        ]
    except (KeyError, ValueError, IndexError, TypeError, AttributeError) as error:
        raise UserError(f"{file} is not as it was published ({error!r}): give that file") from None


def load(
    name: str = "alkanes", per: int = 8, *, split: int = 0, data: str = "", fake: bool = False
) -> Molecules:
    """Molecules in 80, 10 and 10 % (alkanes: 70, 10, 20), drawn at random; one written twice is in one part.

    Methane, ethane and propane, the only ones of their sizes, are always learned from.

    Args:
        name: "alkanes", "esol" or "freesolv".
        per: molecules to a pack.
        split: number of the draw.
        data: folder of ``delaney-processed.csv`` or ``database.txt``.
        fake: rings whose values are those of their nodes.

    Raises:
        UserError: no such file, or another.
    """
    if fake:
        rings = fake_data.rings(96, FEATURES, 2)
        edge = [np.ones((len(g.senders), EDGES), np.float32) for g in rings]
        made = [
            Graph(g.node, g.senders, g.receivers, 2.0 * g.label - 1.0, e)
            for g, e in zip(rings, edge, strict=True)
        ]
        parts = [Packs(part, per) for part in (made[:64], made[64:80], made[80:])]
        return Molecules(parts[0], parts[1], parts[2], 0.0, 1.0, 1.0, ("",) * 16)
    rows = _rows(name, data)
    molecules = [parse(smiles) for smiles, _, _ in rows]
    kinds = [alike(molecule) for molecule in molecules]
    first = [kinds.index(kind) for kind in kinds]  # of the same molecule
    share = np.random.default_rng(split).permutation(len(rows))[first] / len(rows)
    held, tested = (0.7, 0.8) if name == "alkanes" else (0.8, 0.9)
    value, own = (np.array([row[i] for row in rows], np.float64) for i in (1, 2))
    if name == "alkanes":
        share[own <= 3] = 0
    known = share < held
    center, scale = value[known].mean(), value[known].std()

    def part(members: np.ndarray) -> Packs:
        at = np.flatnonzero(members)
        return Packs([graph_of(molecules[i], (value[i] - center) / scale) for i in at], per)

    test = share >= tested
    line: Callable[[np.ndarray], np.ndarray] = np.asarray
    if name == "alkanes":
        line = np.poly1d(np.polyfit(own[known], value[known], 1))
    linear = float(np.sqrt(np.mean((line(own[test]) - value[test]) ** 2)))
    names = tuple(row[0] for row, there in zip(rows, test, strict=True) if there)
    middle = part((share >= held) & ~test)
    return Molecules(part(known), middle, part(test), float(center), float(scale), linear, names)
