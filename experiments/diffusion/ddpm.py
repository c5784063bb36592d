"""Denoising diffusion. Ho et al. 2020, arXiv:2006.11239.

    dljax train experiments/diffusion/ddpm.py
    dljax train experiments/diffusion/ddpm.py --claim mnist

The digits' 8x8 originals are enlarged to ``size``. Samples are drawn with the moving average of the
parameters: "ddim" in 50 steps, "ddpm" over all 1000. On digits nine in ten samples read as digits after
60 epochs (after 20, half), eighteen minutes on one core. On MNIST one epoch takes 28 minutes on one
core: every sample in clean strokes, a good half of them digits.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.looks import Samples
from dljax.data import transforms
from dljax.data.datasets import digits, mnist
from dljax.models.diffusion import ddpm
from dljax.tasks.diffusion import diffusion, sampling
from dljax.tasks.samplers import ancestral

CLAIMS = {
    "digits": {"expect": "test/loss <= 0.03"},
    "mnist": {"dataset": "mnist", "epochs": 1, "ema": 0.999, "expect": "test/loss <= 0.04"},
}
SMALL = {"variant": "tiny", "batch": 8, "samples": 8}
DATASETS = {"digits": digits, "mnist": mnist}


def experiment(
    *,
    dataset: Literal["digits", "mnist"] = "digits",
    variant: str = "small",
    epochs: float = 60,
    batch: int = 32,
    lr: float = 1e-3,
    ema: float = 0.995,
    size: int = 16,
    samples: int = 32,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    enlarged = {"size": size} if dataset == "digits" else {}
    train, test = DATASETS[dataset].load(data=data, fake=fake, **enlarged)
    pipeline = Pipeline(train, batch, seed=seed, transform=transforms.signed)
    shape = pipeline.batch(0, slice(0, 1))["image"].shape[1:]
    model = models.build(ddpm, variant)
    task = diffusion(model, shape)
    few = {"steps": 10} if fake else {}
    steps = pipeline.steps(epochs)
    rate = optax.cosine_decay_schedule(lr, steps, alpha=0.05)
    tx = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))
    return Experiment(
        Phase(
            learn(task, tx, ema=ema),
            pipeline,
            steps,
            evals={"test": EvalSet(test, transforms.signed)},
            looks={
                "ddim": Samples(task.sample, samples, enlarge=3),
                "ddpm": Samples(sampling(model, shape, ancestral, **few), samples, enlarge=3),
            },
            every=pipeline.steps(epochs / 6),
        ),
        seed=seed,
    )
