"""Multilayer perceptron 784-512-512-10 with dropout 0.2 on MNIST: Keras' mnist_mlp, which reports 98.40 %.

    dljax train experiments/dense/mlp_mnist.py

Adam with a cosine schedule in place of RMSprop.
Expected: 98.4 % test accuracy after 20 epochs (measured 98.63), a minute on one core.
"""

import optax

from dljax import Experiment, at_least, models
from dljax.analysis import classifier
from dljax.data import EvalSet, Pipeline, transforms
from dljax.data.datasets import mnist
from dljax.learner import make_learner, players
from dljax.models.dense import mlp
from dljax.tasks.classification import classification


def experiment(
    *,
    variant: str = "512-512",
    epochs: float = 20,
    batch: int = 128,
    lr: float = 1e-3,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = mnist.load(data=data, fake=fake)
    pipeline = Pipeline(train, batch, seed=seed, transform=transforms.unit)
    steps = pipeline.steps(epochs)
    held_out = EvalSet(test, 1000, transforms.unit)
    model = models.build(mlp, variant)
    task = classification(model)
    tx = optax.adam(optax.cosine_decay_schedule(lr, steps))
    return Experiment(
        learner=make_learner(task.init, players(task.losses, tx), evaluate=task.evaluate),
        data=pipeline,
        steps=steps,
        evals={"test": held_out},
        eval_every=pipeline.steps(5),
        views={"mistakes": classifier.mistakes(model, held_out)},
        expect={"test/accuracy": at_least(0.984)},
        seed=seed,
    )
