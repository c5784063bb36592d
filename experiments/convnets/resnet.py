"""ResNet-50 on ImageNet. He et al. 2015, arXiv:1512.03385; v1.5 as in torchvision: 76.13 %.

    dljax train experiments/convnets/resnet.py --on configs/gpu_x8.toml

From Goyal et al. 2017 (arXiv:1706.02677, section 5.1): SGD with Nesterov momentum, a rate of 0.1
per 256 images that is reached in five epochs, crops of random size and shape, no weight decay of
BatchNorm, blocks that start as the identity. Unlike theirs, but as in He, T. et al. 2018
(arXiv:1812.01187): the warm-up begins at 0 (theirs at 0.1, the rate of one batch of 256), a cosine
follows (theirs falls to a tenth after epochs 30, 60 and 80), labels are smoothed, no bias decays.
Unlike both, the output layer starts from Flax's initializer (Goyal's from a deviation of 0.01).
Not yet run.
"""

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis import classifier
from dljax.data import images, transforms
from dljax.data.datasets import imagenet
from dljax.learner import decay_mask
from dljax.models.convnets import resnet
from dljax.tasks.classification import classification

CLAIMS = {"imagenet": {"expect": "val/accuracy >= 0.76", "published": "76.13 % (torchvision)"}}
# 80 steps, at a rate of 0.1 where a batch of 8 would take 0.003.
SMALL = {"variant": "tiny", "batch": 8, "size": 32, "epochs": 5e-4, "lr": 3.2}


def experiment(
    *,
    variant: str = "50",
    epochs: float = 90,
    batch: int = 256,
    lr: float = 0.1,
    momentum: float = 0.9,
    decay: float = 1e-4,
    smoothing: float = 0.1,
    size: int = 224,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, val = imagenet.load(data=data, fake=fake)
    augmented = transforms.chain(images.random_resized_crop(size), images.standardize())
    plain = transforms.chain(images.center_crop(size), images.standardize())
    pipeline = Pipeline(train, batch, seed=seed, transform=augmented)
    steps = pipeline.steps(epochs)
    model = models.build(resnet, variant, classes=imagenet.CLASSES, zero_last=True)
    warmup = min(pipeline.steps(5), steps // 10)
    schedule = optax.warmup_cosine_decay_schedule(0.0, lr * batch / 256, warmup, steps)
    tx = optax.chain(
        optax.add_decayed_weights(decay, decay_mask),
        optax.sgd(schedule, momentum=momentum, nesterov=True),
    )
    return Experiment(
        Phase(
            learn(classification(model, smoothing=smoothing), tx),
            pipeline,
            steps,
            evals={"val": EvalSet(val, plain)},
            looks={"filters": classifier.filters("conv1")},
            every=pipeline.steps(1),
        ),
        seed=seed,
    )
