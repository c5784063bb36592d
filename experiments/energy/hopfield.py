"""A Hopfield net that recalls digits from noise. Hopfield 1982, doi:10.1073/pnas.79.8.2554.

    dljax train experiments/energy/hopfield.py
    dljax train experiments/energy/hopfield.py --claim hebb

One image of each digit, in black and white, on 784 units. Digits are alike, so Hebb's rule melts them into
one another; the local rule of Diederich & Opper 1987 stores them as they are. The picture has the patterns,
the same with a part of their pixels turned, what the net makes of these, then with the lower half unknown, and
what it makes of those. Seconds on one core.
"""

from typing import Literal

import jax.numpy as jnp
import numpy as np

from dljax import Arrays, EvalSet, Experiment, Phase, Pipeline, models
from dljax.analysis import pictures
from dljax.data.datasets import digits
from dljax.errors import UserError
from dljax.models.energy import hopfield
from dljax.rules.hopfield import hebb, projection, turned

CLAIMS = {
    "digits": {"expect": "test/recalled >= 0.99"},
    "hebb": {"rule": "hebb", "steps": 1, "expect": "test/recalled <= 0.2"},
}
SMALL = {"size": 8, "each": 4}


def spins(source: Arrays, each: int) -> np.ndarray:
    """The first ``each`` images of every class, white 1 and black -1, float32 [n, size^2]."""
    label = source.arrays["label"]
    if (least := int(np.bincount(label, minlength=10).min())) < each:
        raise UserError(f"each {each}: expected at most {least}, as many as a class has")
    rows = np.concatenate([np.flatnonzero(label == c)[:each] for c in range(10)])
    image = source.arrays["image"][rows].reshape(len(rows), -1)
    return np.where(image > 127, 1, -1).astype(np.float32)


def experiment(
    *,
    size: int = 28,
    rule: Literal["projection", "hebb"] = "projection",
    each: int = 1,
    steps: int = 300,
    noise: float = 0.3,
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, _ = digits.load(size=size, fake=fake)
    patterns = spins(train, each)
    learner = {"projection": projection, "hebb": hebb}[rule](
        models.build(hopfield, "784", units=size * size), noise=noise
    )

    def recall(variables, key):
        shown = jnp.asarray(patterns[::each])
        noisy = turned(key, shown, noise)
        half = shown.at[:, shown.shape[1] // 2 :].set(0.0)
        found = [learner.predict(variables, {"image": start}) for start in (noisy, half)]
        rows = jnp.concatenate([shown, noisy, found[0], half, found[1]])
        return pictures.grid(rows.reshape(-1, size, size) / 2 + 0.5, len(shown), enlarge=2)

    stored = Arrays({"image": patterns})
    return Experiment(
        Phase(
            learner,
            Pipeline(stored, len(patterns), seed=seed),
            steps,
            evals={"test": EvalSet(stored)},
            looks={"recall": recall},
        ),
        seed=seed,
    )
