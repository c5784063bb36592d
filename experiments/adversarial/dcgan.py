"""DCGAN. Radford et al. 2016, arXiv:1511.06434.

    dljax train experiments/adversarial/dcgan.py
    dljax train experiments/adversarial/dcgan.py --claim mnist

Samples are drawn with the moving average of the generator and held to the energy distance between
1000 of them and as many test images. Two minutes on one core for digits, ten for MNIST.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.latents import Interpolations
from dljax.analysis.looks import Likeness, Samples
from dljax.data import transforms
from dljax.data.datasets import digits, mnist
from dljax.models.adversarial import dcgan
from dljax.tasks.adversarial import adversarial, images_of

CLAIMS = {
    "digits": {"expect": "likeness/energy <= 0.1"},
    "mnist": {"dataset": "mnist", "epochs": 8, "ema": 0.995, "expect": "likeness/energy <= 0.1"},
}
SMALL = {"variant": "tiny", "batch": 8}
DATASETS = {"digits": digits, "mnist": mnist}


def experiment(
    *,
    dataset: Literal["digits", "mnist"] = "digits",
    variant: str = "28",
    epochs: float = 60,
    batch: int = 64,
    lr: float = 2e-4,
    smoothing: float = 0.1,
    ema: float = 0.99,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = DATASETS[dataset].load(data=data, fake=fake)
    pipeline = Pipeline(train, batch, seed=seed, transform=transforms.signed)
    model = models.build(dcgan, variant)
    parts = model.parts()
    task = adversarial(*parts, model.latent, real=1.0 - smoothing)
    held_out = EvalSet(test, transforms.signed)
    return Experiment(
        Phase(
            learn(task, optax.adam(lr, b1=0.5), ema=ema),
            pipeline,
            pipeline.steps(epochs),
            evals={"test": held_out},
            looks={
                "samples": Samples(task.sample),
                "interpolations": Interpolations(images_of(parts[0]), model.latent),
                "likeness": Likeness(task.sample, held_out, low=-1.0),
            },
            every=pipeline.steps(epochs / 6),
        ),
        seed=seed,
    )
