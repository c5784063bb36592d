"""A grid of 25 Gaussians, on which a generator's lost modes are counted. Lin et al. 2018 (PacGAN),
arXiv:1712.04086, section 4.1; networks of Gulrajani et al. 2017 (WGAN-GP), arXiv:1704.00028, gan_toy.py.

    dljax train experiments/adversarial/grid.py
    dljax train experiments/adversarial/grid.py --claim wgan_gp
    dljax train experiments/adversarial/grid.py --claim published

Modes count where the share of samples within three deviations of a center is high too: the plain GAN
loses modes and is exact in the rest, WGAN-GP finds all of them long before it is exact in any. The
published setting has no published figure; its 100,000 steps of the generator are for a GPU.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.modes import Cloud, Modes
from dljax.data.datasets import gaussians
from dljax.models.adversarial import mlp_gan
from dljax.tasks.adversarial import adversarial, non_saturating, wasserstein

CLAIMS = {
    "gan": {
        "expect": ["grid/modes >= 13", "grid/quality >= 0.85"],
        "published": "17.3 modes, quality 94.8 %, KL 0.70 (PacGAN)",
    },
    "wgan_gp": {
        "game": "wgan_gp",
        "critic_steps": 5,
        "expect": ["grid/modes >= 24", "grid/quality >= 0.2"],
    },
    "published": {
        "game": "wgan_gp",
        "variant": "points",
        "steps": 500_000,
        "lr": 1e-4,
        "critic_steps": 5,
        "ema": 0.0,
        "expect": ["grid/modes >= 24", "grid/quality >= 0.8"],
    },
}
SMALL = {"variant": "points-tiny", "batch": 16}


def experiment(
    *,
    game: Literal["gan", "wgan_gp"] = "gan",
    variant: str = "points-128",
    steps: int = 10_000,
    batch: int = 256,
    lr: float = 2e-3,
    penalty: float = 0.1,
    critic_steps: int = 1,
    ema: float = 0.99,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = gaussians.load(data=data, fake=fake)
    model = models.build(mlp_gan, variant)
    rule = non_saturating() if game == "gan" else wasserstein(penalty)
    task = adversarial(*model.parts(), model.latent, game=rule, low=0.0)
    tx = optax.adam(optax.cosine_decay_schedule(lr, steps, alpha=0.02), b1=0.5, b2=0.9)
    modes = gaussians.CENTERS, gaussians.DEVIATION
    return Experiment(
        Phase(
            learn(task, tx, every={"generator": critic_steps}, ema=ema or None),
            Pipeline(train, batch, seed=seed),
            steps,
            evals={"test": EvalSet(test)},
            looks={"grid": Modes(task.sample, *modes), "cloud": Cloud(task.sample, *modes)},
            every=max(1, steps // 5),
        ),
        seed=seed,
    )
