"""The first GAN. Goodfellow et al. 2014, arXiv:1406.2661: two multilayer perceptrons, of ReLU and of maxout.

    dljax train experiments/adversarial/gan.py
    dljax train experiments/adversarial/gan.py --claim mnist --judge lenet5.pth

Adam instead of the authors' SGD with momentum. The Parzen window is theirs, of 10,000 samples. On digits
the first epochs collapse (coverage 0.02, all samples alike); coverage 0.44 and energy 0.39 after 40, still
improving: quality (density 1.56) is ahead of diversity. A minute of one core.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models, weights
from dljax.analysis import generated
from dljax.analysis.judge import Judge
from dljax.analysis.parzen import Parzen
from dljax.data import transforms
from dljax.data.datasets import digits, mnist
from dljax.models.adversarial import gan
from dljax.models.convnets import lenet
from dljax.tasks.adversarial import adversarial
from dljax.weights import lenet as names

CLAIMS = {
    "digits": {"expect": ["likeness/energy <= 0.6", "neighbors/coverage >= 0.35"]},
    "mnist": {
        "dataset": "mnist",
        "epochs": 10,
        "expect": ["neighbors/coverage >= 0.35", "parzen/nats >= 150"],
        "published": "Parzen 225 +- 2 nats",
    },
}
SMALL = {"variant": "tiny", "batch": 8, "lr": 5e-3}
DATASETS = {"digits": digits, "mnist": mnist}


def experiment(
    *,
    dataset: Literal["digits", "mnist"] = "digits",
    variant: str = "mnist",
    epochs: float = 40,
    batch: int = 64,
    lr: float = 2e-4,
    smoothing: float = 0.1,
    judge: str = "",
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = DATASETS[dataset].load(data=data, fake=fake)
    pipeline = Pipeline(train, batch, seed=seed, transform=transforms.unit)
    known, held_out = (EvalSet(source, transforms.unit) for source in (train, test))
    model, net = models.build(gan, variant), models.build(lenet, "net")
    task = adversarial(*model.parts(), model.latent, real=1.0 - smoothing, low=0.0)
    read = judge and weights.to_variables(names.entries(net), weights.read(judge))
    looks = generated.looks(
        task.sample, known, held_out, judge=Judge(net, read, "f6", 32) if read else None
    )
    return Experiment(
        Phase(
            learn(task, optax.adam(lr, b1=0.5), ema=0.99),
            pipeline,
            pipeline.steps(epochs),
            evals={"test": held_out},
            looks={**looks, "parzen": Parzen(task.sample, known, held_out)},
            every=pipeline.steps(epochs / 5),
        ),
        seed=seed,
    )
