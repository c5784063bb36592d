"""A variational autoencoder. Kingma & Welling 2014, arXiv:1312.6114.

    dljax train experiments/autoencoders/vae.py
    dljax train experiments/autoencoders/vae.py --claim mnist

Gray levels in 0..1 are the targets of the pixels' Bernoulli, not binarized (as in pytorch/examples). On
digits most of the bound is the entropy of the gray levels themselves, so it does not compare with
MNIST's. A quarter of a minute on one core for digits, a minute on 2 for MNIST.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.latents import Interpolations
from dljax.analysis.looks import Beside, Samples
from dljax.data import transforms
from dljax.data.datasets import digits, mnist
from dljax.models.autoencoders import vae
from dljax.tasks.reconstruction import decoded, variational

CLAIMS = {
    "digits": {"expect": "test/loss <= 320"},
    "mnist": {
        "dataset": "mnist",
        "epochs": 10,
        "expect": "test/loss <= 106",
        "published": "about 104 (Flax, binarized)",
    },
}
SMALL = {"variant": "tiny", "batch": 8}
DATASETS = {"digits": digits, "mnist": mnist}


def experiment(
    *,
    dataset: Literal["digits", "mnist"] = "digits",
    variant: str = "20",
    epochs: float = 100,
    batch: int = 128,
    lr: float = 2e-3,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = DATASETS[dataset].load(data=data, fake=fake)
    pipeline = Pipeline(train, batch, seed=seed, transform=transforms.unit)
    model = models.build(vae, variant)
    task = variational(model)
    held_out = EvalSet(test, transforms.unit)
    steps = pipeline.steps(epochs)
    return Experiment(
        Phase(
            learn(task, optax.adam(optax.cosine_decay_schedule(lr, steps, alpha=0.02))),
            pipeline,
            steps,
            evals={"test": held_out},
            looks={
                "samples": Samples(task.sample),
                "interpolations": Interpolations(decoded(model), model.latents),
                "reconstructions": Beside(task, held_out, 16),
            },
            every=pipeline.steps(epochs / 5),
        ),
        seed=seed,
    )
