"""A tiny experiment, for the tests of the loop and of a run's folder."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from dljax.code import Origin
from dljax.data import Arrays, EvalSet, Pipeline
from dljax.experiment import Experiment, at_least, at_most
from dljax.learner import make_learner, many_seeds, players
from dljax.runtime.profile import Mesh, Profile
from dljax.tasks.classification import classification

PROFILE = Profile(
    mesh=Mesh(data=1),
    checkpoint_every=5,
    compilation_cache=jax.config.jax_compilation_cache_dir,
)


class Linear(nn.Module):
    @nn.compact
    def __call__(self, image, *, train: bool):
        return nn.Dense(2, name="out")(jnp.tanh(nn.Dense(8, name="hidden")(image)))


def toy(n=40, poison: int | None = None, tx=None, seeds: int = 1, **options) -> Experiment:
    """Two blobs; example ``poison`` is NaN."""
    rng = np.random.default_rng(0)
    label = np.arange(n) % 2
    image = (rng.normal(size=(n, 4)) + 3 * label[:, None]).astype(np.float32)
    if poison is not None:
        image[poison] = np.nan
    arrays = Arrays({"image": image, "label": label.astype(np.int32)})
    task = classification(Linear())
    learner = make_learner(
        task.init, players(task.losses, tx or optax.sgd(0.1)), evaluate=task.evaluate
    )
    if seeds > 1:
        learner = many_seeds(learner, seeds)
    given = {
        "learner": learner,
        "data": Pipeline(arrays, 4),
        "steps": 20,
        "evals": {"test": EvalSet(arrays, 16)},
        "expect": {"test/accuracy": at_least(0.9), "test/loss": at_most(0.5)},
    }
    name, knobs = options.pop("name", "toy"), options.pop("knobs", {"seed": 0})
    text = options.pop("text", "def experiment(*, seed: int = 0): ...")
    if "phases" in options:
        given = {k: v for k, v in given.items() if k not in ("learner", "data", "steps")}
    return Experiment(**{**given, **options}).of(Origin(name, knobs, {"toy.py": text.encode()}))
