"""Scores of relations between entities, as SemEval-2010 task 8 counts them. Hendrickx et al. 2010, section 4.4."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

OTHER = "Other"


def macro_f1(truth: Sequence[str], guess: Sequence[str]) -> float:
    """The mean F1 of the relations that occur in the truth, "Other" left out; 0 where there are none.

    A relation "Name(e1,e2)" is one with its reverse; a guess of the wrong direction is wrong for both
    precision and recall.
    """
    kinds = [[name.partition("(")[0] for name in names] for names in (truth, guess)]
    found = []
    for kind in sorted(set(kinds[0]) - {OTHER}):
        there, told = (np.array([k == kind for k in names]) for names in kinds)
        right = sum(t == g for t, g, k in zip(truth, guess, kinds[0], strict=True) if k == kind)
        found.append(2 * right / (there.sum() + told.sum()))
    return float(np.mean(found)) if found else 0.0


@dataclass(frozen=True)
class RelationScores:
    """Macro-F1 of a set's predictions: a function for ``analysis.predictions.Score``.

    Attributes:
        names: of the relations, in the order of their numbers.
    """

    names: Sequence[str]

    def __call__(self, examples: Mapping[str, np.ndarray], outputs: Any) -> dict[str, float]:
        """``macro_f1`` of ``label`` [n] and logits [n, relations]."""
        pairs = (examples["label"], np.argmax(outputs, -1))
        truth, guess = ([self.names[i] for i in numbers] for numbers in pairs)
        return {"macro_f1": macro_f1(truth, guess)}
