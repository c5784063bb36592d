"""A smooth net with plain SGD, for tests: its path does not amplify rounding."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn
from dljax.data import transforms
from dljax.data.datasets import digits
from dljax.tasks.classification import classification

CLAIMS = {
    "fake": {"expect": "test/accuracy >= 0"},
    "short": {"steps": 12, "expect": "test/accuracy >= 0"},
}


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
    every: int = 0,
    seed: int = 0,
    made_up: bool = True,
) -> Experiment:
    train, test = digits.load(fake=made_up)
    return Experiment(
        Phase(
            learn(classification(Smooth(width)), optax.sgd(lr)),
            Pipeline(train, batch, seed=seed, transform=transforms.unit),
            steps,
            evals={"test": EvalSet(test, transforms.unit)},
            looks={
                "noise": lambda variables, key: jax.random.uniform(key, (8, 8)),
                "words": lambda variables, key: f"{prompt} of width {width}",
            },
            every=every,
        ),
        seed=seed,
    )
