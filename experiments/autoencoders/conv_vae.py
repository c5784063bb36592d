"""A convolutional VAE of two latents, whose plane is drawn. Kingma & Welling 2014, arXiv:1312.6114, Fig. 4;
the network of Keras' example.

    dljax train experiments/autoencoders/conv_vae.py
    dljax train experiments/autoencoders/conv_vae.py --claim mnist --data FOLDER

On digits 359 nats after 20 epochs (378 after 10), a plane of blurred 0, 1, 6 and 9 still, where twenty latents and no convolution reach 320
(``vae.py``). The plane is drawn at equal steps of the prior's quantiles.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.latents import Manifold
from dljax.analysis.looks import Beside
from dljax.data import transforms
from dljax.data.datasets import digits, mnist
from dljax.models.autoencoders import conv_vae
from dljax.tasks.reconstruction import decoded, variational

CLAIMS = {
    "digits": {"expect": "test/loss <= 360"},
    "mnist": {
        "dataset": "mnist", "epochs": 30, "lr": 1e-3, "expect": "test/loss <= 160",
    },
}  # fmt: skip
SMALL = {"variant": "tiny", "batch": 8, "size": 8}
DATASETS = {"digits": digits, "mnist": mnist}


def experiment(
    *,
    dataset: Literal["digits", "mnist"] = "digits",
    variant: str = "2",
    epochs: float = 60,
    batch: int = 128,
    lr: float = 3e-3,
    size: int = 28,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    enlarged = {"size": size} if dataset == "digits" else {}
    train, test = DATASETS[dataset].load(data=data, fake=fake, **enlarged)
    pipeline = Pipeline(train, batch, seed=seed, transform=transforms.unit)
    model = models.build(conv_vae, variant)
    task, held_out = variational(model), EvalSet(test, transforms.unit)
    looks = {"manifold": Manifold(decoded(model)), "reconstructions": Beside(task, held_out, 16)}
    return Experiment(
        Phase(
            learn(task, optax.adam(lr)),
            pipeline,
            pipeline.steps(epochs),
            evals={"test": held_out},
            looks=looks,
            every=pipeline.steps(epochs / 3),
        ),
        seed=seed,
    )
