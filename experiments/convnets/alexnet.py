"""AlexNet. Krizhevsky et al. 2012, doi:10.1145/3065386: 40.7 % top-1 error on ImageNet's validation set.

    dljax train experiments/convnets/alexnet.py
    dljax train experiments/convnets/alexnet.py --claim imagenet --on configs/gpu_x8.toml

The claim on ImageNet has the paper's section 5: SGD with momentum 0.9 in batches of 128, weight decay of
5e-4, a rate of 0.01 divided by ten three times in 90 epochs (there where validation stalls, here at half,
three quarters and seven eighths). Crops are of random size and shape, as everyone draws them since, where
the paper cuts 224 of 256 pixels and shifts colors; the net is the one of a single column. On small images a
cosine. On digits it takes two minutes on one core. ImageNet and CIFAR-10 were not run.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis import classifier
from dljax.data import image_sets
from dljax.models.convnets import alexnet
from dljax.tasks.classification import classification

CLAIMS = {
    "digits": {"expect": "test/accuracy >= 0.96"},
    "cifar10": {
        "dataset": "cifar10", "epochs": 60, "batch": 128, "pad": 4, "flip": True,
        "expect": "test/accuracy >= 0.8",
    },
    "imagenet": {
        "dataset": "imagenet", "variant": "imagenet", "epochs": 90, "batch": 128, "lr": 0.01,
        "schedule": "steps", "expect": "test/accuracy >= 0.56", "published": "56.52 % (torchvision)",
    },
}  # fmt: skip
SMALL = {"variant": "tiny", "batch": 8}


def experiment(
    *,
    dataset: Literal["digits", "cifar10", "imagenet"] = "digits",
    variant: str = "small",
    epochs: float = 20,
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
    task = classification(models.build(alexnet, variant, classes=found.classes))
    tx = optax.chain(optax.add_decayed_weights(decay), optax.sgd(rate, momentum=0.9))
    evals = {"test": EvalSet(found.test, found.plain)}
    looks = {"filters": classifier.filters("conv1")}
    every = pipeline.steps(min(1, epochs / 4))
    return Experiment(Phase(learn(task, tx), pipeline, steps, evals, looks, every), seed=seed)
