"""A restricted Boltzmann machine on digits in black and white. Hinton 2002, doi:10.1162/089976602760128018;
likelihoods as in Salakhutdinov & Murray 2008, doi:10.1145/1390156.1390266.

    dljax train experiments/energy/rbm.py
    dljax train experiments/energy/rbm.py --claim mnist20_cd3
    dljax train experiments/energy/rbm.py --claim mnist500

Pixels are drawn once, from gray levels. With 20 hidden units log Z is exact, over 2^20 states; with more it is
estimated by annealed importance sampling. A quarter of a minute on one core for digits, half of one for MNIST
with 20 units: chains from noise end in two shapes after CD-1, in digits after CD-3.
"""

from functools import partial
from typing import Literal

import numpy as np
import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, models
from dljax.analysis import pictures
from dljax.analysis.looks import Samples
from dljax.analysis.partition import Likelihood
from dljax.data import transforms
from dljax.data.binary import binarized
from dljax.data.datasets import digits, mnist
from dljax.models.energy import rbm
from dljax.rules.contrastive_divergence import contrastive_divergence, gibbs_samples

CLAIMS = {
    "digits": {"persistent": True, "batch": 32, "expect": "likelihood/test >= -24"},
    "mnist20_cd1": {"dataset": "mnist", "epochs": 12, "expect": "likelihood/test >= -170", "published": "-164.5"},
    "mnist20_cd3": {"dataset": "mnist", "epochs": 12, "k": 3, "expect": "likelihood/test >= -160"},
    "mnist500": {
        "dataset": "mnist", "variant": "500", "k": 25, "epochs": 50, "batch": 100,
        "expect": "likelihood/test >= -100", "published": "-86.34 nats (CD-25)",
    },
}  # fmt: skip
SMALL = {"variant": "tiny", "batch": 8, "betas": 10}
DATASETS = {"digits": partial(digits.load, size=8), "mnist": mnist.load}  # digits as they are


def experiment(
    *,
    dataset: Literal["digits", "mnist"] = "digits",
    variant: str = "20",
    k: int = 1,
    persistent: bool = False,
    epochs: float = 100,
    batch: int = 20,
    lr: float = 0.05,
    momentum: float = 0.5,
    betas: int = 2000,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = map(binarized, DATASETS[dataset](data=data, fake=fake))
    shape = train.arrays["image"].shape[1:]
    model = models.build(rbm, variant, visible=int(np.prod(shape)))
    pipeline = Pipeline(train, batch, seed=seed, transform=transforms.unit)
    seen, held_out = (EvalSet(source, transforms.unit) for source in (train, test))
    tx = optax.sgd(optax.linear_schedule(lr, 0.0, pipeline.steps(epochs)), momentum)
    likelihood = Likelihood(model, seen, held_out, betas=betas)
    samples = Samples(gibbs_samples(model, shape, 1000), enlarge=56 // shape[0])

    def filters(variables, key):
        """A look: the weights of hidden units, white where ink speaks for them."""
        weight = variables.params["model"]["weight"][:, :100]
        return pictures.filters(weight.reshape(*shape, -1), enlarge=56 // shape[0])

    return Experiment(
        Phase(
            contrastive_divergence(model, tx, k=k, persistent=persistent),
            pipeline,
            pipeline.steps(epochs),
            evals={"test": held_out},
            looks={"likelihood": likelihood, "filters": filters, "samples": samples},
        ),
        seed=seed,
    )
