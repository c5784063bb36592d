"""Molecules from SMILES, in the subset that sets of small molecules use. Weininger 1988, doi:10.1021/ci00057a005;
the grammar is OpenSMILES'. Marks of stereochemistry are read and dropped.
"""

import re
from typing import NamedTuple

import numpy as np

from dljax.errors import UserError

# Valences at which an atom without brackets is filled up with hydrogen.
_VALENCES = {
    "B": (3,),
    "C": (4,),
    "N": (3, 5),
    "O": (2,),
    "P": (3, 5),
    "S": (2, 4, 6),
    **dict.fromkeys(("F", "Cl", "Br", "I"), (1,)),
}
_ORDERS = {"-": 1.0, "=": 2.0, "#": 3.0, ":": 1.5, "/": 1.0, "\\": 1.0}
_TOKEN = re.compile(
    r"\[(?P<isotope>\d+)?(?P<inside>[A-Z][a-z]?|[bcnops]|se|as)(?P<chiral>@{1,2})?"
    r"(?:H(?P<hydrogens>\d?))?(?P<charge>\++\d?|-+\d?)?(?::\d+)?\]"
    r"|(?P<bare>Cl|Br|[BCNOPSFI]|[bcnops])"
    r"|(?P<bond>[-=#:/\\])|(?P<ring>\d|%\d\d)|(?P<other>[().])"
)
AROMATIC = 1.5


class Molecule(NamedTuple):
    """A molecule's graph, hydrogens folded into their atoms.

    Attributes:
        symbols: of the elements.
        aromatic: bool [n], written in lower case.
        charge, hydrogens: int [n].
        bonds: int [m, 2], each once.
        order: float [m]: 1, 2, 3, or 1.5 where aromatic.
        ring: bool [m], part of a ring.
    """

    symbols: list[str]
    aromatic: np.ndarray
    charge: np.ndarray
    hydrogens: np.ndarray
    bonds: np.ndarray
    order: np.ndarray
    ring: np.ndarray

    @property
    def degree(self) -> np.ndarray:
        """Bonds of each atom to others that are no hydrogens folded away, int [n]."""
        return np.bincount(self.bonds.ravel(), minlength=len(self.symbols))


def _charge(text: str | None) -> int:
    if not text:
        return 0
    size = int(text[1:]) if text[1:].isdigit() else len(text)
    return size if text[0] == "+" else -size


def _in_rings(n: int, bonds: list[tuple[int, int]]) -> np.ndarray:
    """True of each bond whose ends stay connected without it."""
    out = np.zeros(len(bonds), bool)
    for skipped, (first, last) in enumerate(bonds):
        near: list[list[int]] = [[] for _ in range(n)]
        for i, (a, b) in enumerate(bonds):
            if i != skipped:
                near[a].append(b)
                near[b].append(a)
        seen, todo = {first}, [first]
        while todo and last not in seen:
            new = [x for x in near[todo.pop()] if x not in seen]
            seen.update(new)
            todo += new
        out[skipped] = last in seen
    return out


def _filled(symbol: str, aromatic: bool, orders: list[float]) -> int:
    """Hydrogens of an atom without brackets: what its least valence that suffices leaves.

    An aromatic carbon has one electron in the ring's system, beside single bonds; any other aromatic atom
    has no hydrogen unless it is written, as in [nH].
    """
    if aromatic and symbol != "C":
        return 0
    used = sum(1.0 if order == AROMATIC else order for order in orders) + aromatic
    return next((int(valence - used) for valence in _VALENCES[symbol] if used <= valence), 0)


def _separated(symbols: list[str], charge: list[int], bonds: list, order: np.ndarray) -> None:
    """Write nitrogen of five bonds, as in N(=O)=O, with charges: [N+](=O)[O-], in place."""
    for atom, symbol in enumerate(symbols):
        own = [i for i, pair in enumerate(bonds) if atom in pair]
        if symbol == "N" and not charge[atom] and sum(order[own]) >= 5:
            for i in own:
                oxygen = sum(bonds[i]) - atom
                if symbols[oxygen] == "O" and order[i] == 2 and charge[atom] == 0:
                    order[i], charge[atom], charge[oxygen] = 1, 1, -1


def parse(smiles: str) -> Molecule:
    """The molecule of a SMILES string.

    Raises:
        UserError: a part that is outside of the subset, a bracket or ring that is not closed, a bond without
            an atom at each end; with its position.
    """

    def wrong(at: int, what: str) -> UserError:
        return UserError(f"SMILES {smiles!r:.120}, position {at}: {what}")

    symbols: list[str] = []
    aromatic: list[bool] = []
    charge: list[int] = []
    given: list[int | None] = []
    bonds: list[tuple[int, int]] = []
    written: list[str | None] = []
    open_rings: dict[str, tuple[int, str | None]] = {}
    branches: list[int | None] = []
    last: int | None = None
    bond: str | None = None
    at = 0
    while at < len(smiles):
        found = _TOKEN.match(smiles, at)
        if not found:
            raise wrong(at, f"{smiles[at : at + 8]!r} is not in the subset that is read")
        symbol = found["inside"] or found["bare"]
        if symbol:
            symbols.append(symbol.capitalize())
            aromatic.append(symbol.islower())
            charge.append(_charge(found["charge"]))
            inside, count = found["inside"], found["hydrogens"]
            given.append(None if not inside else 0 if count is None else int(count or 1))
            if last is not None:
                bonds.append((last, len(symbols) - 1))
                written.append(bond)
            last, bond = len(symbols) - 1, None
        elif found["bond"]:
            if bond or last is None:
                raise wrong(at, "a bond that does not follow an atom")
            bond = found["bond"]
        elif found["ring"]:
            if last is None:
                raise wrong(at, "a ring begins before any atom")
            name = found["ring"].lstrip("%").lstrip("0") or "0"
            if name in open_rings:
                other, before = open_rings.pop(name)
                if other == last or {(other, last), (last, other)} & set(bonds):
                    raise wrong(at, "a ring joins an atom to itself or to its neighbor")
                bonds.append((other, last))
                written.append(bond or before)
            else:
                open_rings[name] = last, bond
            bond = None
        elif found["other"] == "(":
            branches.append(last)
        elif found["other"] == ")":
            if not branches:
                raise wrong(at, "a branch ends that did not begin")
            if bond:
                raise wrong(at, "a bond leads to no atom")
            last, bond = branches.pop(), None
        else:
            if bond:
                raise wrong(at, "a bond leads to no atom")
            last = bond = None
        at = found.end()
    if bond:
        raise wrong(at, "a bond leads to no atom")
    if open_rings or branches:
        raise wrong(at, "a ring or a branch is not closed")
    if not symbols:
        raise wrong(0, "no atom")
    ring = _in_rings(len(symbols), bonds)
    # Between two rings, as in biphenyl or fluorene, a bond of aromatic atoms is single.
    between = [i for i, (a, b) in enumerate(bonds) if aromatic[a] and aromatic[b]]
    shared = np.zeros(len(bonds), bool)
    shared[between] = _in_rings(len(symbols), [bonds[i] for i in between])
    order = np.where(shared, AROMATIC, 1.0)
    for i, mark in enumerate(written):
        order[i] = _ORDERS[mark] if mark else order[i]
    hydrogens = []
    for atom, (symbol, count) in enumerate(zip(symbols, given, strict=True)):
        own = [order[i] for i, pair in enumerate(bonds) if atom in pair]
        hydrogens.append(_filled(symbol, aromatic[atom], own) if count is None else count)
    _separated(symbols, charge, bonds, order)
    pairs = np.array(bonds, np.int64).reshape(-1, 2)
    lower, charges, filled = (np.array(x) for x in (aromatic, charge, hydrogens))
    return Molecule(symbols, lower, charges, filled, pairs, order, ring)
