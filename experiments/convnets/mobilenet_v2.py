"""MobileNetV2. Sandler et al. 2018, arXiv:1801.04381, Table 4: 72.0 % top-1 on ImageNet.

    dljax train experiments/convnets/mobilenet_v2.py
    dljax train experiments/convnets/mobilenet_v2.py --claim imagenet --on configs/gpu_x8.toml

The claim on ImageNet has the paper's section 6.1: RMSProp with decay and momentum 0.9, weight decay of 4e-5,
a rate of 0.045 that falls by 2 % an epoch, batches of 96 on 16 workers, which are 1536 here. The number of
epochs is not in the paper; torchvision takes 300. On small images (``small``, halved three times) SGD with
momentum and a cosine; kuangliu's net for CIFAR-10 has projections for shortcuts besides. On digits it takes
seven minutes on one core. ImageNet and CIFAR-10 were not run.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis import classifier
from dljax.data import image_sets
from dljax.models.convnets import mobilenet_v2
from dljax.tasks.classification import classification

CLAIMS = {
    "digits": {"expect": "test/accuracy >= 0.97"},
    "cifar10": {
        "dataset": "cifar10", "epochs": 200, "batch": 128, "lr": 0.1, "decay": 5e-4,
        "pad": 4, "flip": True, "expect": "test/accuracy >= 0.93", "published": "94.43 % (kuangliu)",
    },
    "imagenet": {
        "dataset": "imagenet", "variant": "1.0", "epochs": 300, "batch": 1536, "lr": 0.045,
        "optimizer": "rmsprop", "expect": "test/accuracy >= 0.71", "published": "72.0 %",
    },
}  # fmt: skip
SMALL = {"variant": "tiny", "batch": 8}


def experiment(
    *,
    dataset: Literal["digits", "cifar10", "imagenet"] = "digits",
    variant: str = "small",
    epochs: float = 8,
    batch: int = 64,
    lr: float = 0.05,
    decay: float = 4e-5,
    optimizer: Literal["sgd", "rmsprop"] = "sgd",
    pad: int = 2,
    flip: bool = False,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    found = image_sets.load(dataset, pad=pad, flip=flip, data=data, fake=fake)
    pipeline = Pipeline(found.train, batch, seed=seed, transform=found.augmented)
    steps = pipeline.steps(epochs)
    task = classification(models.build(mobilenet_v2, variant, classes=found.classes))
    by_rule = optax.sgd(optax.cosine_decay_schedule(lr, steps), momentum=0.9)
    if optimizer == "rmsprop":
        rate = optax.exponential_decay(lr, pipeline.steps(1), 0.98, staircase=True)
        by_rule = optax.rmsprop(rate, decay=0.9, eps=1.0, momentum=0.9)
    tx = optax.chain(optax.add_decayed_weights(decay), by_rule)
    evals = {"test": EvalSet(found.test, found.plain)}
    looks = {"filters": classifier.filters("conv1")}
    every = pipeline.steps(min(1, epochs / 4))
    return Experiment(Phase(learn(task, tx), pipeline, steps, evals, looks, every), seed=seed)
