"""Inception v3. Szegedy et al. 2015, arXiv:1512.00567, Table 3: 21.2 % top-1 error on ImageNet, one crop.

    dljax train experiments/convnets/inception_v3.py
    dljax train experiments/convnets/inception_v3.py --claim imagenet --on configs/gpu_x8.toml

The claim on ImageNet has the paper's section 8: RMSProp with a decay of 0.9 and an epsilon of 1, a rate of
0.045 that falls by 6 % every two epochs, 100 epochs in batches of 32 on 50 workers, which are 1600 here,
gradients cut to a norm of 2, and an average of the weights for use; and its sections 4 and 7: an auxiliary head
with BatchNorm, whose loss weighs 0.4 as in the authors' code (as weight decay of 4e-5 is), and labels smoothed by
0.1. On digits the same with fewer modules at a quarter of the channels (``small``), at a higher rate that
falls faster: two minutes on one core. ImageNet and CIFAR-10 were not run.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis import classifier
from dljax.data import image_sets
from dljax.models.convnets import inception_v3
from dljax.tasks.auxiliary import auxiliary_classification

CLAIMS = {
    "digits": {"expect": "test/accuracy >= 0.97"},
    "cifar10": {
        "dataset": "cifar10", "epochs": 40, "batch": 128, "lr": 1.0, "fall": 0.8, "ema": 0.99, "pad": 4,
        "flip": True, "expect": "test/accuracy >= 0.88",
    },
    "imagenet": {
        "dataset": "imagenet", "variant": "torchvision-auxiliary", "epochs": 100, "batch": 1600,
        "lr": 0.045, "fall": 0.94, "ema": 0.9999, "expect": "test/accuracy >= 0.77",
        "published": "21.2 % error",
    },
}  # fmt: skip
SMALL = {"variant": "tiny", "batch": 8}


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
    model = models.build(inception_v3, variant, classes=found.classes)
    weights = [0.4] if model.auxiliary else []
    task = auxiliary_classification(model, weights=weights, smoothing=0.1)
    rate = optax.exponential_decay(lr, pipeline.steps(2), fall, staircase=True)
    rmsprop = optax.rmsprop(rate, decay=0.9, eps=1.0)
    tx = optax.chain(optax.add_decayed_weights(4e-5), optax.clip_by_global_norm(2.0), rmsprop)
    held_out = EvalSet(found.test, found.plain)
    looks = {"filters": classifier.filters("conv1a/conv")}
    if dataset == "digits":
        looks["mistakes"] = classifier.mistakes(task, held_out)
    learner, every = learn(task, tx, ema=ema), pipeline.steps(min(1, epochs / 4))
    return Experiment(Phase(learner, pipeline, steps, {"test": held_out}, looks, every), seed=seed)
