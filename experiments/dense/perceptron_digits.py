"""The perceptron on two of scikit-learn's digits, which a line separates. Rosenblatt 1958,
doi:10.1037/h0042519.

    dljax train experiments/dense/perceptron_digits.py

Rosenblatt's rule, one example at a time, on the 8x8 originals; the picture shows the weights.
Expected: 99 % test accuracy after 5 epochs, seconds on 2 cores.
"""

from dljax import Experiment, at_least, models
from dljax.analysis import pictures
from dljax.data import Arrays, EvalSet, Pipeline, transforms
from dljax.data.datasets import digits
from dljax.models.dense import perceptron
from dljax.rules.perceptron import perceptron_rule


def pair(source: Arrays, zero: int, one: int) -> Arrays:
    """The examples of two classes, labelled 0 and 1."""
    label = source.arrays["label"]
    chosen = (label == zero) | (label == one)
    return Arrays(
        {"image": source.arrays["image"][chosen], "label": (label[chosen] == one).astype("int32")}
    )


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
    data = Pipeline(train, batch, seed=seed, transform=transforms.unit)
    return Experiment(
        learner=perceptron_rule(models.build(perceptron, "64"), lr),
        data=data,
        steps=data.steps(epochs),
        evals={"test": EvalSet(test, 100, transforms.unit)},
        eval_every=data.steps(1),
        views={"weights": weights},
        expect={"test/accuracy": at_least(0.99)},
        seed=seed,
    )


def weights(state, key):
    """Where ink speaks for ``one`` (white) and for ``zero`` (black)."""
    kernel = state.params["model"]["weight"].reshape(8, 8, 1, 1)
    return pictures.filters(kernel, enlarge=32)
