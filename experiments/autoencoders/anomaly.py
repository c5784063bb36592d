"""Anomalies are restored badly: an autoencoder that has seen one digit alone tells it from all others.

    dljax train experiments/autoencoders/anomaly.py
    dljax sweep experiments/autoencoders/anomaly.py --normal 0:10
    dljax train experiments/autoencoders/anomaly.py --claim mnist

A narrow code has room for what is normal only (Hawkins et al. 2002, Outlier Detection Using Replicator
Neural Networks, doi:10.1007/3-540-46145-0_17). ``alarm/auroc`` is the chance that a test image of another
digit has a larger squared error than one of ``normal``; the picture shows other digits as they are restored,
as if they were ``normal``. On digits 0.982 for 8 and 1.000 for 0, and so has the distance from the mean of the
training images (eight principal components: 0.976, 1.000): this set asks for no more. Half a minute on one
core.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.codes import Alarm
from dljax.analysis.looks import Beside
from dljax.data import transforms
from dljax.data.datasets import digits, mnist
from dljax.data.subsets import of_classes
from dljax.models.autoencoders import autoencoder
from dljax.tasks.autoencoding import autoencoding

CLAIMS = {
    "digits": {"expect": "alarm/auroc >= 0.95"},
    "mnist": {"dataset": "mnist", "epochs": 10, "expect": "alarm/auroc >= 0.95"},
}
SMALL = {"variant": "tiny", "batch": 8}
DATASETS = {"digits": digits, "mnist": mnist}


def experiment(
    *,
    dataset: Literal["digits", "mnist"] = "digits",
    normal: int = 8,
    variant: str = "deep",
    latents: int = 8,
    epochs: float = 100,
    batch: int = 64,
    lr: float = 1e-3,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = DATASETS[dataset].load(data=data, fake=fake)
    others = [digit for digit in range(10) if digit != normal]
    pipeline = Pipeline(of_classes(train, [normal]), batch, seed=seed, transform=transforms.unit)
    usual = EvalSet(of_classes(test, [normal]), transforms.unit)
    strange = EvalSet(of_classes(test, others), transforms.unit)
    task = autoencoding(models.build(autoencoder, variant, latents=latents))
    steps = pipeline.steps(epochs)
    return Experiment(
        Phase(
            learn(task, optax.adam(optax.cosine_decay_schedule(lr, steps, alpha=0.02))),
            pipeline,
            steps,
            evals={"test": usual},
            looks={"alarm": Alarm(task, usual, strange), "anomalies": Beside(task, strange, 16)},
            every=pipeline.steps(epochs / 4),
        ),
        seed=seed,
    )
