"""The perceptron on two of scikit-learn's digits, which a line separates. Rosenblatt 1958,
doi:10.1037/h0042519.

    dljax train experiments/dense/perceptron.py

Rosenblatt's rule, one example at a time, on the 8x8 originals; the picture shows the weights. Seconds
on 2 cores.
"""

from dljax import Arrays, EvalSet, Experiment, Phase, Pipeline, models
from dljax.analysis import pictures
from dljax.data import transforms
from dljax.data.datasets import digits
from dljax.models.dense import perceptron
from dljax.rules.perceptron import perceptron_rule

CLAIMS = {"digits": {"expect": "test/accuracy >= 0.99"}}
SMALL = {"batch": 8}


def pair(source: Arrays, zero: int, one: int) -> Arrays:
    """The examples of two classes, labeled 0 and 1."""
    label = source.arrays["label"]
    chosen = (label == zero) | (label == one)
    return Arrays(
        {"image": source.arrays["image"][chosen], "label": (label[chosen] == one).astype("int32")}
    )


def weights(variables, key):
    """A look: the weights, white where ink speaks for ``one``, black where for ``zero``."""
    kernel = variables.params["model"]["weight"].reshape(8, 8, 1, 1)
    return pictures.filters(kernel, enlarge=32)


def experiment(
    *,
    zero: int = 0,
    one: int = 1,
    epochs: float = 5,
    batch: int = 1,
    lr: float = 1.0,
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = (pair(split, zero, one) for split in digits.load(size=8, fake=fake))
    pipeline = Pipeline(train, batch, seed=seed, transform=transforms.unit)
    return Experiment(
        Phase(
            perceptron_rule(models.build(perceptron, "64"), lr),
            pipeline,
            pipeline.steps(epochs),
            evals={"test": EvalSet(test, transforms.unit)},
            looks={"weights": weights},
            every=pipeline.steps(1),
        ),
        seed=seed,
    )
