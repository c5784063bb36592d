"""Inception-ResNet v2. Szegedy et al. 2016, arXiv:1602.07261, Table 2: 19.9 % top-1 error on ImageNet, one crop.

    dljax train experiments/convnets/inception_resnet_v2.py
    dljax train experiments/convnets/inception_resnet_v2.py --claim imagenet --on configs/gpu_x8.toml

The claim on ImageNet has the paper's section 4: RMSProp with a decay of 0.9 and an epsilon of 1, a rate of 0.045
that falls by 6 % every two epochs, 20 workers, whose batches of 32 (those of Inception v3) are 640 here, and an
average of the weights for use. Weight decay of 4e-5 and labels smoothed by 0.1 are those of the authors' code, 160
epochs those of the paper's plots. On digits the same with a fifth of the modules at a quarter of the channels
(``small``), at a higher rate that falls faster: two minutes on one core. ImageNet and CIFAR-10 were not run.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis import classifier
from dljax.data import image_sets
from dljax.models.convnets import inception_resnet_v2
from dljax.tasks.classification import classification

CLAIMS = {
    "digits": {"expect": "test/accuracy >= 0.97"},
    "cifar10": {
        "dataset": "cifar10", "epochs": 40, "batch": 128, "lr": 1.0, "fall": 0.8, "ema": 0.99, "pad": 4,
        "flip": True, "expect": "test/accuracy >= 0.88",
    },
    "imagenet": {
        "dataset": "imagenet", "variant": "timm", "epochs": 160, "batch": 640, "lr": 0.045, "fall": 0.94,
        "ema": 0.9999, "expect": "test/accuracy >= 0.79", "published": "19.9 % error",
    },
}  # fmt: skip
SMALL = {"variant": "tiny", "batch": 16}  # BatchNorm of 8 rows on its smallest maps rounds by 7e-4


def experiment(
    *,
    dataset: Literal["digits", "cifar10", "imagenet"] = "digits",
    variant: str = "small",
    epochs: float = 8,
    batch: int = 32,
    lr: float = 0.5,
    fall: float = 0.4,
    ema: float = 0.95,
    pad: int = 2,
    flip: bool = False,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    found = image_sets.load(dataset, pad=pad, flip=flip, data=data, fake=fake, size=299)
    pipeline = Pipeline(found.train, batch, seed=seed, transform=found.augmented)
    steps = pipeline.steps(epochs)
    model = models.build(inception_resnet_v2, variant, classes=found.classes)
    task = classification(model, smoothing=0.1)
    rate = optax.exponential_decay(lr, pipeline.steps(2), fall, staircase=True)
    rmsprop = optax.rmsprop(rate, decay=0.9, eps=1.0)
    tx = optax.chain(optax.add_decayed_weights(4e-5), rmsprop)
    held_out = EvalSet(found.test, found.plain)
    looks = {"filters": classifier.filters("conv1a/conv")}
    if dataset == "digits":
        looks["mistakes"] = classifier.mistakes(task, held_out)
    learner, every = learn(task, tx, ema=ema), pipeline.steps(min(1, epochs / 4))
    return Experiment(Phase(learner, pipeline, steps, {"test": held_out}, looks, every), seed=seed)
