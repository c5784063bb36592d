"""WGAN and WGAN-GP. Arjovsky et al. 2017, arXiv:1701.07875; Gulrajani et al. 2017, arXiv:1704.00028.

    dljax train experiments/adversarial/wgan.py
    dljax train experiments/adversarial/wgan.py --claim clipping
    dljax train experiments/adversarial/wgan.py --claim mnist --judge lenet5.pth

With a penalty of 0 the critic's weights are clipped after each of its steps. On digits with the penalty:
energy 0.039 and coverage 0.32 after 50 epochs (225 steps of the generator), digits with noisy pixels
(density 0.15), still improving. A minute of one core.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models, weights
from dljax.analysis import generated
from dljax.analysis.judge import Judge
from dljax.data import transforms
from dljax.data.datasets import digits, mnist
from dljax.models.adversarial import mlp_gan
from dljax.models.convnets import lenet
from dljax.tasks.adversarial import adversarial, clipped, wasserstein
from dljax.weights import lenet as names

CLAIMS = {
    "digits": {"expect": ["likeness/energy <= 0.1", "neighbors/coverage >= 0.25"]},
    "clipping": {
        "penalty": 0.0,
        "expect": ["likeness/energy <= 0.2", "neighbors/coverage >= 0.15"],
    },
    "mnist": {"dataset": "mnist", "epochs": 10, "expect": "likeness/energy <= 0.3"},
}
SMALL = {"variant": "tiny", "batch": 8}
DATASETS = {"digits": digits, "mnist": mnist}


def experiment(
    *,
    dataset: Literal["digits", "mnist"] = "digits",
    variant: str = "28",
    epochs: float = 50,
    batch: int = 64,
    lr: float = 5e-4,
    penalty: float = 10.0,
    judge: str = "",
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = DATASETS[dataset].load(data=data, fake=fake)
    pipeline = Pipeline(train, batch, seed=seed, transform=transforms.signed)
    known, held_out = (EvalSet(source, transforms.signed) for source in (train, test))
    model, net = models.build(mlp_gan, variant), models.build(lenet, "net")
    task = adversarial(*model.parts(), model.latent, game=wasserstein(penalty))
    slow = optax.adam(lr, b1=0.5, b2=0.9) if penalty else optax.rmsprop(lr)
    critic = slow if penalty else clipped(slow, 0.01)
    read = judge and weights.to_variables(names.entries(net), weights.read(judge))
    looks = generated.looks(
        task.sample, known, held_out, low=-1.0, judge=Judge(net, read, "f6", 32) if read else None
    )
    return Experiment(
        Phase(
            learn(
                task,
                {"discriminator": critic, "generator": slow},
                every={"generator": 5},
                ema=0.99,
            ),
            pipeline,
            pipeline.steps(epochs),
            evals={"test": held_out},
            looks=looks,
            every=pipeline.steps(epochs / 5),
        ),
        seed=seed,
    )
