"""A tiny experiment, for the tests of the loop and of a run's folder."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from dljax import Arrays, EvalSet, Experiment, Phase, Pipeline, learn
from dljax.claims import Claim, Expect
from dljax.code import Origin
from dljax.learner import many_seeds
from dljax.runtime.profile import Mesh, Profile
from dljax.tasks.classification import classification

PROFILE = Profile(
    mesh=Mesh(data=1),
    checkpoint_every=5,
    compilation_cache=jax.config.jax_compilation_cache_dir,
)
EXPECT = (Expect("test/accuracy", ">=", 0.9), Expect("test/loss", "<=", 0.5))


class Linear(nn.Module):
    @nn.compact
    def __call__(self, image, *, train: bool):
        return nn.Dense(2, name="out")(jnp.tanh(nn.Dense(8, name="hidden")(image)))


def claiming(*expect: Expect) -> Claim:
    return Claim("toy", {}, expect)


def task():
    return classification(Linear())


def toy(
    n=40,
    poison: int | None = None,
    tx=None,
    seeds: int = 1,
    phases: tuple[Phase, ...] = (),
    expect: tuple[Expect, ...] = EXPECT,
    origin: dict | None = None,
    **options,
) -> Experiment:
    """Two blobs; example ``poison`` is NaN. ``options`` are the one Phase's."""
    rng = np.random.default_rng(0)
    label = np.arange(n) % 2
    image = (rng.normal(size=(n, 4)) + 3 * label[:, None]).astype(np.float32)
    if poison is not None:
        image[poison] = np.nan
    arrays = Arrays({"image": image, "label": label.astype(np.int32)})
    learner = learn(task(), tx or optax.sgd(0.1))
    given = {
        "learner": many_seeds(learner, seeds) if seeds > 1 else learner,
        "data": Pipeline(arrays, 4),
        "steps": 20,
        "evals": {"test": EvalSet(arrays)},
    }
    text = {"toy.py": b"def experiment(*, seed: int = 0): ..."}
    source = {"name": "toy", "texts": text, "knobs": {"seed": 0}}
    made = Experiment(*(phases or [Phase(**{**given, **options})]))
    return made.of(Origin(**{**source, **(origin or {})}), claiming(*expect))
