"""The graphs that RDKit has of some SMILES.

python tests/parity/smiles.py      (needs rdkit)
"""

import json
from pathlib import Path

from rdkit import Chem

SMILES = {
    "methane": "C",
    "aspirin": "CC(=O)Oc1ccccc1C(=O)O",
    "caffeine": "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
    "indole": "c1ccc2[nH]ccc2c1",
    "pyridine": "c1ccncc1",
    "furan and thiophene": "c1ccoc1Cc1cccs1",
    "nitrobenzene": "O=N(=O)c1ccccc1",
    "nitrobenzene with charges": "[O-][N+](=O)c1ccccc1",
    "fluorene": "c1ccc2c(c1)Cc1ccccc12",
    "biphenyl": "c1ccc(cc1)c1ccccc1",
    "naphthalene, ring 10": "c1ccc%10ccccc%10c1",
    "glycine's zwitterion": "[NH3+]CC([O-])=O",
    "an azide": "CCN=[N+]=[N-]",
    "a sulfonamide": "NS(=O)(=O)c1ccc(Cl)cc1",
    "a phosphate": "COP(=O)(OC)OC=C(Cl)Br",
    "alanine": "C[C@H](N)C(O)=O",
    "butene": "C/C=C/C#N",
    "a salt": "[Na+].[Cl-]",
    "spiro": "C1CC12CC2I",
}


def facts(smiles: str) -> dict:
    molecule = Chem.MolFromSmiles(smiles)
    atoms = list(molecule.GetAtoms())
    bonds = [
        [x.GetBeginAtomIdx(), x.GetEndAtomIdx(), x.GetBondTypeAsDouble(), x.IsInRing()]
        for x in molecule.GetBonds()
    ]
    return {
        "smiles": smiles,
        "symbols": [x.GetSymbol() for x in atoms],
        "aromatic": [x.GetIsAromatic() for x in atoms],
        "charge": [x.GetFormalCharge() for x in atoms],
        "hydrogens": [x.GetTotalNumHs() for x in atoms],
        "bonds": sorted([*sorted(x[:2]), *x[2:]] for x in bonds),
    }


file = Path(__file__).parent / "golden" / "smiles.json"
lines = [f"{json.dumps(name)}: {json.dumps(facts(x))}" for name, x in SMILES.items()]
file.write_text("{\n" + ",\n".join(lines) + "\n}\n")
