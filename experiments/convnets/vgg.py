"""VGG. Simonyan & Zisserman 2014, arXiv:1409.1556: 25.6 % top-1 error of column D on ImageNet, one scale.

    dljax train experiments/convnets/vgg.py
    dljax train experiments/convnets/vgg.py --claim imagenet --on configs/gpu_x8.toml

The claim on ImageNet has the paper's section 3.1: SGD with momentum 0.9 in batches of 256, weight decay of
5e-4, dropout, a rate of 0.01 divided by ten three times in 74 epochs (there where validation stalls, here at
half, three quarters and seven eighths); crops of random size and shape as everyone draws them since, not of
two scales. BatchNorm, which the paper has not, takes the place of its start from a trained shallow net. On
small images the net ends in one Dense layer (``16-bn-small``), and the rate falls by a cosine. On digits it
takes six minutes on one core, on CIFAR-10 eleven on an H100 with two other nets. ImageNet was not run.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis import classifier
from dljax.data import image_sets
from dljax.models.convnets import vgg
from dljax.tasks.classification import classification

CLAIMS = {
    "digits": {"expect": "test/accuracy >= 0.97"},
    "cifar10": {
        "dataset": "cifar10", "epochs": 160, "batch": 128, "lr": 0.05, "pad": 4, "flip": True,
        "expect": "test/accuracy >= 0.925",
    },
    "imagenet": {
        "dataset": "imagenet", "variant": "16-bn", "epochs": 74, "batch": 256, "lr": 0.01,
        "schedule": "steps", "expect": "test/accuracy >= 0.72", "published": "73.36 % (torchvision)",
    },
}  # fmt: skip
SMALL = {"variant": "tiny", "batch": 8}


def experiment(
    *,
    dataset: Literal["digits", "cifar10", "imagenet"] = "digits",
    variant: str = "16-bn-small",
    epochs: float = 8,
    batch: int = 64,
    lr: float = 0.02,
    decay: float = 5e-4,
    schedule: Literal["cosine", "steps"] = "cosine",
    pad: int = 2,
    flip: bool = False,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    found = image_sets.load(dataset, pad=pad, flip=flip, data=data, fake=fake)
    pipeline = Pipeline(found.train, batch, seed=seed, transform=found.augmented)
    steps = pipeline.steps(epochs)
    rate = optax.cosine_decay_schedule(lr, steps)
    if schedule == "steps":
        falls = {steps // 2: 0.1, steps * 3 // 4: 0.1, steps * 7 // 8: 0.1}
        rate = optax.piecewise_constant_schedule(lr, falls)
    task = classification(models.build(vgg, variant, classes=found.classes))
    tx = optax.chain(optax.add_decayed_weights(decay), optax.sgd(rate, momentum=0.9))
    evals = {"test": EvalSet(found.test, found.plain)}
    looks = {"filters": classifier.filters("conv1_1")}
    every = pipeline.steps(min(1, epochs / 4))
    return Experiment(Phase(learn(task, tx), pipeline, steps, evals, looks, every), seed=seed)
