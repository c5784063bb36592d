"""Transfer: convolutions learned on the digits 0-4 serve the digits 5-9. Yosinski et al. 2014,
arXiv:1411.1792; Keras' mnist_transfer_cnn, which reports 99.2 %.

    dljax train experiments/transfer/cnn_mnist_transfer.py

The first phase trains everything on 0-4; the second freezes the convolutions, takes fresh Dense layers
and trains those on 5-9. Twelve minutes on 2 cores.
"""

import optax

from dljax import Arrays, EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis import classifier
from dljax.data import transforms
from dljax.data.datasets import mnist
from dljax.experiment import go_on
from dljax.learner import State, freeze
from dljax.models.convnets import cnn
from dljax.tasks.classification import classification

CLAIMS = {"mnist": {"expect": "5-9/test/accuracy >= 0.99", "published": "99.2 % (Keras)"}}
SMALL = {"variant": "tiny", "batch": 8}


def half(source: Arrays, first: int) -> Arrays:
    """The five digits from ``first`` on, labeled 0 to 4."""
    label = source.arrays["label"] - first
    chosen = (label >= 0) & (label < 5)
    return Arrays({"image": source.arrays["image"][chosen], "label": label[chosen]})


def is_convolution(path: str) -> bool:
    return path.startswith("conv")


def fresh_head(before: State | None, fresh: State) -> State:
    """The convolutions of the last phase, the Dense layers of a new start."""
    state, new = go_on(before, fresh), fresh.params["model"]
    params = {n: v if is_convolution(n) else new[n] for n, v in state.params["model"].items()}
    return state._replace(params={"model": params})


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
        pipeline = Pipeline(half(train, first), batch, seed=seed, transform=transforms.unit)
        return Phase(
            learn(task, tx),
            pipeline,
            pipeline.steps(epochs),
            evals={"test": EvalSet(half(test, first), transforms.unit)},
            looks={"filters": classifier.filters("conv1_1")},
            name=f"{first}-{first + 4}",
            **options,
        )

    first = phase(0, optax.adam(lr))
    second = phase(5, freeze(optax.adam(lr), is_convolution), start=fresh_head)
    return Experiment(first, second, seed=seed)
