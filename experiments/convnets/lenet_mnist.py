"""LeNet-5 on MNIST. LeCun et al. 1998, doi:10.1109/5.726791, Fig. 2.

    dljax train experiments/convnets/lenet_mnist.py

The paper reports 0.95 % test error after 20 epochs, without distortions. Adam, cosine schedule,
the images shifted by up to two pixels.
Expected: 99 % test accuracy (1.0 % error) after 5 epochs, two minutes on 2 cores.
"""

import optax

from dljax import Experiment, at_least, models
from dljax.analysis import classifier
from dljax.data import EvalSet, Pipeline, images, transforms
from dljax.data.datasets import mnist
from dljax.learner import make_learner, players
from dljax.models.convnets import lenet
from dljax.tasks.classification import classification


def experiment(
    *,
    variant: str = "5",
    epochs: float = 5,
    batch: int = 128,
    lr: float = 2e-3,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = mnist.load(data=data, fake=fake)
    pipeline = Pipeline(
        train,
        batch,
        seed=seed,
        transform=transforms.chain(images.pad_crop_flip(2, flip=False), transforms.unit),
    )
    steps = pipeline.steps(epochs)
    held_out = EvalSet(test, 1000, transforms.unit)
    model = models.build(lenet, variant)
    task = classification(model)
    tx = optax.adam(optax.cosine_decay_schedule(lr, steps))
    return Experiment(
        learner=make_learner(task.init, players(task.losses, tx), evaluate=task.evaluate),
        data=pipeline,
        steps=steps,
        evals={"test": held_out},
        eval_every=pipeline.steps(1),
        views={
            "filters": classifier.filters("c1"),
            "mistakes": classifier.mistakes(model, held_out),
        },
        expect={"test/accuracy": at_least(0.99)},
        seed=seed,
    )
