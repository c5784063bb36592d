"""Softmax regression under the fast gradient sign method. Goodfellow et al. 2014, Explaining and Harnessing
Adversarial Examples, arXiv:1412.6572, section 4: 99.9 % error on MNIST at epsilon 0.25.

    dljax train experiments/attacks/softmax_fgsm.py
    dljax train experiments/attacks/softmax_fgsm.py --claim mnist

As in the paper pixels are in 0..1, and an attacked image may leave that range. For a linear model one step
is the worst that the ball holds. Adam at a constant rate. On MNIST 92.8 % are right, and none of the 10,000
attacked ones (97 % are wrong already at 0.05). The claims take half a minute and a few seconds.
"""

from typing import Literal

import numpy as np
import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis import adversarial_examples
from dljax.data import transforms
from dljax.data.datasets import digits, mnist
from dljax.models.dense import mlp
from dljax.tasks.attacks import fgsm
from dljax.tasks.classification import classification

CLAIMS = {
    "digits": {"expect": ["fgsm/0.25 <= 0.05", "test/accuracy >= 0.93"]},
    "mnist": {
        "dataset": "mnist",
        "epochs": 15,
        "batch": 128,
        "expect": ["fgsm/0.25 <= 0.005", "test/accuracy >= 0.92"],
        "published": "99.9 % error at epsilon 0.25",
    },
}
SMALL = {"batch": 8}
DATASETS = {"digits": digits, "mnist": mnist}


def experiment(
    *,
    dataset: Literal["digits", "mnist"] = "digits",
    epochs: float = 40,
    batch: int = 64,
    lr: float = 1e-3,
    epsilon: float = 0.25,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = DATASETS[dataset].load(data=data, fake=fake)
    pipeline = Pipeline(train, batch, seed=seed, transform=transforms.unit)
    held_out = EvalSet(test, transforms.unit)
    task = classification(models.build(mlp, "128", hidden=()))  # no hidden layer
    attack = fgsm(low=-np.inf, high=np.inf)
    given = task, held_out, attack
    return Experiment(
        Phase(
            learn(task, optax.adam(lr)),
            pipeline,
            pipeline.steps(epochs),
            evals={"test": held_out},
            looks={
                "fgsm": adversarial_examples.RobustAccuracy(
                    *given, (0.05, 0.1, epsilon), limit=10_000
                ),
                "examples": adversarial_examples.Examples(*given, epsilon),
            },
        ),
        seed=seed,
    )
