"""Transfer: convolutions learned on the digits 0-4 serve the digits 5-9. Yosinski et al. 2014,
arXiv:1411.1792; Keras' mnist_transfer_cnn, which reports 99.2 %.

    dljax train experiments/transfer/cnn_mnist_transfer.py

The first phase trains everything on 0-4; the second freezes the convolutions, takes fresh Dense layers
and trains those on 5-9. Twelve minutes on 2 cores.
"""

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis import classifier
from dljax.data import transforms
from dljax.data.datasets import mnist
from dljax.data.subsets import of_classes
from dljax.experiment import Anew
from dljax.learner import freeze
from dljax.models.convnets import cnn
from dljax.tasks.classification import classification

CLAIMS = {"mnist": {"expect": "5-9/test/accuracy >= 0.99", "published": "99.2 % (Keras)"}}
SMALL = {"variant": "tiny", "batch": 8}


def is_convolution(path: str) -> bool:
    return path.startswith("conv")


def is_dense(path: str) -> bool:
    return not is_convolution(path.removeprefix("params/"))


def experiment(
    *,
    variant: str = "transfer",
    epochs: float = 5,
    batch: int = 128,
    lr: float = 1e-3,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = mnist.load(data=data, fake=fake)
    task = classification(models.build(cnn, variant, classes=5))

    def phase(first: int, tx: optax.GradientTransformation, **options) -> Phase:
        pipeline = Pipeline(
            of_classes(train, range(first, first + 5)), batch, seed=seed, transform=transforms.unit
        )
        return Phase(
            learn(task, tx),
            pipeline,
            pipeline.steps(epochs),
            evals={"test": EvalSet(of_classes(test, range(first, first + 5)), transforms.unit)},
            looks={"filters": classifier.filters("conv1_1")},
            name=f"{first}-{first + 4}",
            **options,
        )

    first = phase(0, optax.adam(lr))
    second = phase(5, freeze(optax.adam(lr), is_convolution), start=Anew(is_dense))
    return Experiment(first, second, seed=seed)
