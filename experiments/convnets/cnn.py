"""The course's convolutional network (34,826 parameters): Keras' simple_mnist_convnet.

    dljax train experiments/convnets/cnn.py
    dljax train experiments/convnets/cnn.py --claim mnist

Adam, cosine schedule; training images are shifted by up to ``shift`` pixels. Other networks of its kind
on MNIST: 99.25 % (Keras' mnist_cnn, 12 epochs), 99.17 % (Flax' example, 10 epochs). The claim on digits
takes three quarters of a minute on 2 cores, that on MNIST ten.
"""

from typing import Annotated, Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis import classifier
from dljax.data import images, transforms
from dljax.data.datasets import digits, mnist
from dljax.models.convnets import cnn
from dljax.tasks.classification import classification

CLAIMS = {
    "digits": {"expect": "test/accuracy >= 0.97"},
    "mnist": {
        "dataset": "mnist",
        "epochs": 15,
        "batch": 128,
        "shift": 0,
        "expect": "test/accuracy >= 0.991",
        "published": "99.25 % (Keras), 99.17 % (Flax)",
    },
}
SMALL = {"variant": "tiny", "batch": 8}
DATASETS = {"digits": digits, "mnist": mnist}


def experiment(
    *,
    dataset: Literal["digits", "mnist"] = "digits",
    variant: str = "course",
    epochs: float = 40,
    batch: int = 64,
    lr: float = 2e-3,
    shift: Annotated[int, ">= 0"] = 2,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = DATASETS[dataset].load(data=data, fake=fake)
    shifted = transforms.chain(images.pad_crop_flip(shift, flip=False), transforms.unit)
    pipeline = Pipeline(train, batch, seed=seed, transform=shifted)
    steps = pipeline.steps(epochs)
    held_out = EvalSet(test, transforms.unit)
    task = classification(models.build(cnn, variant))
    return Experiment(
        Phase(
            learn(task, optax.adam(optax.cosine_decay_schedule(lr, steps))),
            pipeline,
            steps,
            evals={"test": held_out},
            looks={
                "filters": classifier.filters("conv1_1"),
                "mistakes": classifier.mistakes(task, held_out),
            },
            every=pipeline.steps(epochs / 4),
        ),
        seed=seed,
    )
