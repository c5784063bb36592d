"""U-Net on collages of handwritten digits: whole digits apart from scraps of others. Ronneberger et
al. 2015, arXiv:1505.04597.

    dljax train experiments/segmentation/unet_collages.py

A quarter of the paper's width and four levels. The picture shows collages, the probability of a digit
that the network sees in them, and the truth. Two to five minutes on 2 cores.
"""

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.looks import Beside
from dljax.data import transforms
from dljax.data.datasets import digit_collages
from dljax.models.segmentation import unet
from dljax.tasks.segmentation import segmentation

CLAIMS = {"collages": {"expect": "test/iou >= 0.85"}}
SMALL = {"variant": "tiny", "batch": 8, "size": 32}


def experiment(
    *,
    variant: str = "small",
    epochs: float = 3,
    batch: int = 16,
    lr: float = 2e-3,
    size: int = 64,
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = digit_collages.load(size=size, fake=fake)
    scaled = transforms.chain(digit_collages.whole_digits, transforms.unit)
    pipeline = Pipeline(train, batch, seed=seed, transform=scaled)
    task = segmentation(models.build(unet, variant, classes=2))
    held_out = EvalSet(test, scaled)
    steps = pipeline.steps(epochs)
    return Experiment(
        Phase(
            learn(task, optax.adam(optax.cosine_decay_schedule(lr, steps, alpha=0.05))),
            pipeline,
            steps,
            evals={"test": held_out},
            looks={"segmentations": Beside(task, held_out)},
            every=pipeline.steps(1),
        ),
        seed=seed,
    )
