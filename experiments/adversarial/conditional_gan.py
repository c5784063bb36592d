"""Conditional GAN. Mirza & Osindero 2014, arXiv:1411.1784: digits that are asked for by name.

    dljax train experiments/adversarial/conditional_gan.py
    dljax train experiments/adversarial/conditional_gan.py --claim mnist --judge lenet5.pth

A sample is consistent where its nearest training image is of the class that was asked for, and where the
judge, if there is one, says so. On digits 98.9 % after 100 epochs, with coverage 0.90 of the test images.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models, weights
from dljax.analysis import generated
from dljax.analysis.judge import Judge
from dljax.data import transforms
from dljax.data.datasets import digits, mnist
from dljax.models.adversarial import conditional_gan
from dljax.models.convnets import lenet
from dljax.tasks.adversarial import adversarial
from dljax.weights import lenet as names

CLAIMS = {
    "digits": {"expect": ["neighbors/consistency >= 0.95", "neighbors/coverage >= 0.8"]},
    "mnist": {
        "dataset": "mnist",
        "epochs": 10,
        "expect": ["neighbors/consistency >= 0.9", "neighbors/coverage >= 0.5"],
    },
}
SMALL = {"variant": "tiny", "batch": 8}
DATASETS = {"digits": digits, "mnist": mnist}


def experiment(
    *,
    dataset: Literal["digits", "mnist"] = "digits",
    variant: str = "28",
    epochs: float = 100,
    batch: int = 64,
    lr: float = 2e-4,
    smoothing: float = 0.1,
    judge: str = "",
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = DATASETS[dataset].load(data=data, fake=fake)
    pipeline = Pipeline(train, batch, seed=seed, transform=transforms.signed)
    known, held_out = (EvalSet(source, transforms.signed) for source in (train, test))
    model, net = models.build(conditional_gan, variant), models.build(lenet, "net")
    classes, real = model.classes, 1.0 - smoothing
    task = adversarial(*model.parts(), model.latent, real=real, classes=classes)
    read = judge and weights.to_variables(names.entries(net), weights.read(judge))
    looks = generated.looks(
        task.sample,
        known,
        held_out,
        low=-1.0,
        classes=classes,
        judge=Judge(net, read, "f6", 32) if read else None,
    )
    return Experiment(
        Phase(
            learn(task, optax.adam(lr, b1=0.5), ema=0.99),
            pipeline,
            pipeline.steps(epochs),
            evals={"test": held_out},
            looks=looks,
            every=pipeline.steps(epochs / 5),
        ),
        seed=seed,
    )
