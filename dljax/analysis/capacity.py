"""The capacity of an associative memory: the overlap that is left as more and more patterns are stored.

Amit, Gutfreund & Sompolinsky 1985, doi:10.1103/PhysRevLett.55.1530: with Hebb's rule, many units and
random patterns, memory breaks down at 0.138 patterns a unit.
"""

import math
from dataclasses import dataclass

import jax
import numpy as np

from dljax.analysis.charts import against
from dljax.learner import Learner
from dljax.types import Key, Variables

_erf = np.vectorize(math.erf)


def retrieval(y) -> tuple[np.ndarray, np.ndarray]:
    """(load, overlap) of the states of retrieval without noise, a curve over its parameter y > 0.

        overlap = erf(y),   sqrt(2 load) = erf(y) / y - 2 / sqrt(pi) exp(-y^2)

    The load is greatest, 0.1379, at an overlap of 0.967; beyond, where y is smaller, the states are unstable.
    """
    y = np.asarray(y, np.float64)
    overlap = _erf(y)
    return (overlap / y - 2 / math.sqrt(math.pi) * np.exp(-y * y)) ** 2 / 2, overlap


def unstable(load) -> np.ndarray:
    """The part of a stored pattern's bits that turn at once: 1/2 erfc(1 / sqrt(2 load))."""
    return (1 - _erf(1 / np.sqrt(2 * np.asarray(load, np.float64)))) / 2


@dataclass(frozen=True)
class Cliff:
    """A look at the rule, not at the run's variables: overlap at rest and unstable bits over the load, measured
    beside what theory says.

    The patterns are stored anew by the learner's own rule, in as many steps as there are loads.

    Attributes:
        patterns: [n, d] of -1 and 1.
        loads: number of equal steps, which divides n.
    """

    learner: Learner
    patterns: np.ndarray
    loads: int = 20

    def measured(self, key: Key) -> dict[str, list[tuple[float, list[float]]]]:
        """Metric -> pairs of a load and the mean over the patterns stored until then."""
        n, d = self.patterns.shape
        size = n // self.loads
        update, evaluate = jax.jit(self.learner.update), jax.jit(self.learner.evaluate)
        state = jax.jit(self.learner.init)(key, {"image": self.patterns[:size]})
        found: dict[str, list[tuple[float, list[float]]]] = {}
        for stored in range(size, n + 1, size):
            state, _ = update(state, {"image": self.patterns[stored - size : stored]})
            mask = (np.arange(n) < stored).astype(np.float32)
            for name, mean in evaluate(state, {"image": self.patterns, "mask": mask}).items():
                found.setdefault(name, []).append((stored / d, [float(mean.value)]))
        return found

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        found = self.measured(key)
        most = len(self.patterns) / self.patterns.shape[1]
        least = most / 5  # below it all is well
        some = np.linspace(least, most, 25)
        load, overlap = retrieval(np.linspace(1.513, 4, 60))  # from the greatest load down
        theory = {
            "overlap": zip(load, overlap, strict=True),
            "unstable": zip(some, unstable(some), strict=True),
        }
        lines = {
            name: {
                "measured": [(x, y) for x, y in found[name] if x >= least],
                "theory": [(x, [y]) for x, y in line if x >= least],
            }
            for name, line in theory.items()
        }
        return against(lines, xlabel="patterns per unit")
