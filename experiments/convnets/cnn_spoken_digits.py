"""A small convolutional network (LeCun et al. 1989, doi:10.1162/neco.1989.1.4.541) on log-mel spectrograms of
digits.

    dljax train experiments/convnets/cnn_spoken_digits.py
    dljax train experiments/convnets/cnn_spoken_digits.py --claim fsdd --data FOLDER

Keys of a telephone, each tone with the amplitude of the noise around it; and the Free Spoken Digit Dataset's recordings, the
test's by the same six speakers. Adam, cosine schedule; spectrograms are shifted by up to ``shift`` frames.
"""

from typing import Annotated, Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis import classifier
from dljax.analysis.errors_by_class import Confusion
from dljax.data.datasets import spoken_digits
from dljax.models.convnets import cnn
from dljax.tasks.classification import classification

CLAIMS = {
    "keys": {"expect": "test/accuracy >= 0.90"},
    "fsdd": {"dataset": "fsdd", "epochs": 30, "expect": "test/accuracy >= 0.96"},
}
SMALL = {"variant": "tiny", "batch": 8}


def experiment(
    *,
    dataset: Literal["keys", "fsdd"] = "keys",
    variant: str = "course",
    epochs: float = 20,
    batch: int = 32,
    lr: float = 3e-3,
    shift: Annotated[int, ">= 0"] = 4,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = spoken_digits.load(dataset, data, fake=fake)
    stages = {} if variant == "tiny" else {"stages": ((16,), (32,), (64,))}
    task = classification(models.build(cnn, variant, **stages))
    pipeline = Pipeline(train, batch, seed=seed, transform=spoken_digits.shifted(shift))
    steps, held_out = pipeline.steps(epochs), EvalSet(test)
    return Experiment(
        Phase(
            learn(task, optax.adam(optax.cosine_decay_schedule(lr, steps))),
            pipeline,
            steps,
            evals={"test": held_out},
            looks={
                "confusion": Confusion(task, held_out, spoken_digits.NAMES),
                "mistakes": classifier.mistakes(task, held_out),
            },
            every=pipeline.steps(epochs / 3),
        ),
        seed=seed,
    )
