"""An extreme learning machine on digits: random units, and a readout by least squares. Huang, Zhu & Siew 2006,
doi:10.1016/j.neucom.2005.12.126.

    dljax train experiments/reservoirs/elm.py
    dljax train experiments/reservoirs/elm.py --claim mnist
    dljax sweep experiments/reservoirs/elm.py --dataset mnist --batch 2000 --hidden 100,500,1000,2000

About one epoch, whole batches of it, in which every step adds a batch to the sums that the readout is solved from. Seconds on one core.
"""

from typing import Annotated, Literal

from dljax import EvalSet, Experiment, Phase, Pipeline, models
from dljax.analysis import classifier, errors_by_class
from dljax.data import transforms
from dljax.data.datasets import digits, mnist
from dljax.models.reservoirs import elm
from dljax.rules.readout import ridge_classifier

CLAIMS = {
    "digits": {"expect": "test/accuracy >= 0.96"},
    "mnist": {"dataset": "mnist", "batch": 2000, "expect": "test/accuracy >= 0.935"},
}
SMALL = {"hidden": 16, "batch": 8}
DATASETS = {"digits": digits, "mnist": mnist}


def experiment(
    *,
    dataset: Literal["digits", "mnist"] = "digits",
    hidden: Annotated[int, ">= 1"] = 1000,
    ridge: float = 1e-3,
    batch: int = 64,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = DATASETS[dataset].load(data=data, fake=fake)
    learner = ridge_classifier(models.build(elm, "1000", hidden=hidden), ridge=ridge)
    pipeline = Pipeline(train, batch, seed=seed, transform=transforms.unit)
    held_out = EvalSet(test, transforms.unit)
    return Experiment(
        Phase(
            learner,
            pipeline,
            pipeline.steps(1),
            evals={"test": held_out},
            looks={
                "mistakes": classifier.mistakes(learner, held_out),
                "confusion": errors_by_class.Confusion(learner, held_out, digits.NAMES),
            },
        ),
        seed=seed,
    )
