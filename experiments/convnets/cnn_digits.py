"""The course's convolutional network (34,826 parameters) on scikit-learn's digits.

    dljax train experiments/convnets/cnn_digits.py

Adam, cosine schedule; training images are shifted by up to two pixels.
Expected: 97 % test accuracy after 40 epochs, three quarters of a minute on 2 cores.
"""

import optax

from dljax import Experiment, at_least, models
from dljax.analysis import classifier
from dljax.data import EvalSet, Pipeline, images, transforms
from dljax.data.datasets import digits
from dljax.learner import make_learner, players
from dljax.models.convnets import cnn
from dljax.tasks.classification import classification


def experiment(
    *,
    variant: str = "course",
    epochs: float = 40,
    batch: int = 64,
    lr: float = 2e-3,
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = digits.load(fake=fake)
    pipeline = Pipeline(
        train,
        batch,
        seed=seed,
        transform=transforms.chain(images.pad_crop_flip(2, flip=False), transforms.unit),
    )
    steps = pipeline.steps(epochs)
    held_out = EvalSet(test, 360, transforms.unit)
    model = models.build(cnn, variant)
    task = classification(model)
    tx = optax.adam(optax.cosine_decay_schedule(lr, steps))
    return Experiment(
        learner=make_learner(task.init, players(task.losses, tx), evaluate=task.evaluate),
        data=pipeline,
        steps=steps,
        evals={"test": held_out},
        eval_every=pipeline.steps(10),
        views={
            "filters": classifier.filters("conv1_1"),
            "mistakes": classifier.mistakes(model, held_out),
        },
        expect={"test/accuracy": at_least(0.97)},
        seed=seed,
    )
