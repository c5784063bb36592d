"""The capacity of a Hopfield net with Hebb's rule: 0.138 patterns a unit. Amit, Gutfreund & Sompolinsky 1985,
doi:10.1103/PhysRevLett.55.1530.

    dljax train experiments/energy/hopfield_capacity.py

Random patterns, a hundredth of a pattern a unit in each step: the first phase ends below the cliff, the
second beyond it. The picture has the overlap of a pattern with the state in which the net comes to rest
from it, and the part of its bits that turn at once, beside theory: 1/2 erfc(1 / sqrt(2 load)). Of
1000 units more is left beyond the cliff than of infinitely many. A quarter of a minute on one core.
"""

import numpy as np

from dljax import Arrays, EvalSet, Experiment, Phase, Pipeline, models
from dljax.analysis.capacity import Cliff
from dljax.errors import UserError
from dljax.models.energy import hopfield
from dljax.rules.hopfield import hebb

CLAIMS = {
    "patterns": {
        "expect": ("below/stored/overlap >= 0.97", "beyond/stored/overlap <= 0.65"),
        "published": "0.967 or more up to 0.138 patterns a unit, no memory beyond",
    }
}
SMALL = {"units": 200, "batch": 8}


def experiment(
    *,
    units: int = 1000,
    batch: int = 10,
    below: float = 0.12,
    beyond: float = 0.18,
    most: float = 0.2,
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    if not 0 < below < beyond <= most:
        raise UserError(f"loads {below}, {beyond}, {most}: expected 0 < below < beyond <= most")
    draws = np.random.default_rng(seed).integers(0, 2, (round(most * units / batch), batch, units))
    patterns = (2 * draws - 1).astype(np.float32).reshape(-1, units)
    learner = hebb(models.build(hopfield, "1000", units=units))
    ends = [round(load * units / batch) * batch for load in (below, beyond)]

    def storing(name: str, first: int, last: int, looks) -> Phase:
        """A phase that stores patterns ``first`` to ``last``, and measures all until then."""
        return Phase(
            learner,
            Pipeline(Arrays({"image": patterns[first:last]}), batch, seed=seed),
            (last - first) // batch,
            evals={"stored": EvalSet(Arrays({"image": patterns[:last]}))},
            looks=looks,
            name=name,
        )

    return Experiment(
        storing("below", 0, ends[0], {}),
        storing("beyond", *ends, {"cliff": Cliff(learner, patterns, len(draws))}),
        seed=seed,
    )
