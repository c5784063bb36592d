"""ResNet-20 on CIFAR-10. He et al. 2015, arXiv:1512.03385, section 4.2: 91.25 %.

    dljax train experiments/convnets/resnet20_cifar10.py --on configs/gpu.toml

From the paper: SGD with momentum 0.9, rate 0.1 divided by ten after 32k and 48k of 64k steps,
weight decay 1e-4, 4-pixel padding with random crops and mirroring, batch 128. The paper subtracts
every pixel's mean and pads after that; here images are padded with black, then standardized by
ImageNet's means and deviations of the channels.
Expected: 91.25 % test accuracy after 164 epochs; not yet run.
"""

import optax

from dljax import Experiment, at_least, models
from dljax.analysis import classifier
from dljax.data import EvalSet, Pipeline, images, transforms
from dljax.data.datasets import cifar10
from dljax.learner import make_learner, players
from dljax.models.convnets import resnet_cifar
from dljax.tasks.classification import classification


def experiment(
    *,
    variant: str = "20",
    steps: int = 64_000,
    batch: int = 128,
    lr: float = 0.1,
    momentum: float = 0.9,
    decay: float = 1e-4,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = cifar10.load(data=data, fake=fake)
    augmented = transforms.chain(images.pad_crop_flip(4), images.standardize())
    held_out = EvalSet(test, 1000, images.standardize())
    task = classification(models.build(resnet_cifar, variant))
    schedule = optax.piecewise_constant_schedule(lr, {steps // 2: 0.1, steps * 3 // 4: 0.1})
    tx = optax.chain(optax.add_decayed_weights(decay), optax.sgd(schedule, momentum=momentum))
    return Experiment(
        learner=make_learner(task.init, players(task.losses, tx), evaluate=task.evaluate),
        data=Pipeline(train, batch, seed=seed, transform=augmented),
        steps=steps,
        evals={"test": held_out},
        eval_every=2000,
        views={"filters": classifier.filters("conv1")},
        expect={"test/accuracy": at_least(0.9125)},
        seed=seed,
    )
