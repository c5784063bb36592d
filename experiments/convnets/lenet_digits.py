"""LeNet-5 on scikit-learn's handwritten digits. LeCun et al. 1998, doi:10.1109/5.726791, Fig. 2.

    dljax train experiments/convnets/lenet_digits.py

Expected: 97 % test accuracy after 30 epochs, half a minute on 2 cores.
"""

import optax

from dljax import Experiment, at_least, models
from dljax.data import EvalSet, Pipeline, transforms
from dljax.data.datasets import digits
from dljax.learner import make_learner, players
from dljax.models.convnets import lenet
from dljax.objectives.classification import classification


def experiment(
    *,
    variant: str = "5",
    epochs: float = 30,
    batch: int = 64,
    lr: float = 1e-3,
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = digits.load(fake=fake)
    data = Pipeline(train, batch, seed=seed, transform=transforms.unit)
    task = classification(models.build(lenet, variant))
    return Experiment(
        learner=make_learner(
            task.init, players(task.losses, optax.adam(lr)), evaluate=task.evaluate
        ),
        data=data,
        steps=data.steps(epochs),
        evals={"test": EvalSet(test, 360, transforms.unit)},
        eval_every=data.steps(5),
        expect={"test/accuracy": at_least(0.97)},
        seed=seed,
    )
