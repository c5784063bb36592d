"""A smooth net with plain SGD, for tests: its path does not amplify rounding.

Expected: nothing.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from dljax import Experiment, at_least
from dljax.data import EvalSet, Pipeline, transforms
from dljax.data.datasets import digits
from dljax.learner import make_learner, players
from dljax.tasks.classification import classification


class Smooth(nn.Module):
    width: int

    @nn.compact
    def __call__(self, image, *, train: bool):
        x = jnp.reshape(image, (image.shape[0], -1))
        return nn.Dense(10, name="out")(jnp.tanh(nn.Dense(self.width, name="hidden")(x)))


def experiment(
    *,
    steps: int = 20,
    batch: int = 32,
    width: int = 16,
    lr: float = 0.1,
    prompt: str = "a digit",
    bound: float = 0.0,
    every: int = 0,
    seed: int = 0,
    fake: bool = True,
) -> Experiment:
    train, test = digits.load(fake=fake)
    task = classification(Smooth(width))
    return Experiment(
        learner=make_learner(
            task.init, players(task.losses, optax.sgd(lr)), evaluate=task.evaluate
        ),
        data=Pipeline(train, batch, seed=seed, transform=transforms.unit),
        steps=steps,
        eval_every=every,
        evals={"test": EvalSet(test, 96, transforms.unit)},
        views={
            "noise": lambda state, key: jax.random.uniform(key, (8, 8)),
            "words": lambda state, key: f"{prompt} after {int(state.step)} steps",
        },
        expect={"test/accuracy": at_least(bound)},
        seed=seed,
    )
