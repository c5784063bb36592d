"""The course's multilayer perceptron with dropout 0.2: 784-128-10, or Keras' mnist_mlp, 784-512-512-10.

    dljax train experiments/dense/mlp.py
    dljax train experiments/dense/mlp.py --claim mnist

Adam with a cosine schedule, where Keras takes RMSprop. The claim on digits takes a quarter of a minute
on 2 cores, that on MNIST a minute on one.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis import classifier
from dljax.data import transforms
from dljax.data.datasets import digits, mnist
from dljax.models.dense import mlp
from dljax.tasks.classification import classification

CLAIMS = {
    "digits": {"expect": "test/accuracy >= 0.95"},
    "mnist": {
        "dataset": "mnist",
        "variant": "512-512",
        "epochs": 20,
        "batch": 128,
        "expect": "test/accuracy >= 0.984",
        "published": "98.40 % (Keras)",
    },
}
SMALL = {"variant": "tiny", "batch": 8}
DATASETS = {"digits": digits, "mnist": mnist}


def experiment(
    *,
    dataset: Literal["digits", "mnist"] = "digits",
    variant: str = "128",
    epochs: float = 40,
    batch: int = 64,
    lr: float = 1e-3,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = DATASETS[dataset].load(data=data, fake=fake)
    pipeline = Pipeline(train, batch, seed=seed, transform=transforms.unit)
    steps = pipeline.steps(epochs)
    held_out = EvalSet(test, transforms.unit)
    task = classification(models.build(mlp, variant))
    return Experiment(
        Phase(
            learn(task, optax.adam(optax.cosine_decay_schedule(lr, steps))),
            pipeline,
            steps,
            evals={"test": held_out},
            looks={"mistakes": classifier.mistakes(task, held_out)},
            every=pipeline.steps(epochs / 4),
        ),
        seed=seed,
    )
