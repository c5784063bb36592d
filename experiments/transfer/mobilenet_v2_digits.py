"""MobileNetV2, trained on the digits 0-4, learns the digits 5-9 from ten labels each: a new head on a
frozen trunk, then all of it. Yosinski et al. 2014, arXiv:1411.1792; rates by depth: Howard & Ruder 2018,
arXiv:1801.06146, section 3.2.

    dljax train experiments/transfer/mobilenet_v2_digits.py
    dljax sweep experiments/transfer/mobilenet_v2_digits.py --trunk trained,fresh --seed 0:5

The phase ``head`` trains a new last layer, all below it frozen; ``tune`` trains everything, at half the rate
and, with ``decay`` below 1, less with every stage towards the image. The trunk's BatchNorms keep their
statistics. With ``--trunk fresh`` the same steps train all from the start. Over five seeds the new head alone
knows 53 +- 7 % and all tuned 88 +- 5; from a fresh trunk 73 +- 7 and 88 +- 4: nothing is gained here.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.data import images, transforms
from dljax.data.datasets import digits
from dljax.data.subsets import of_classes
from dljax.experiment import Anew
from dljax.learner import freeze, scale_by_path
from dljax.models.convnets import mobilenet_v2
from dljax.tasks.classification import classification
from dljax.tasks.transfer import with_frozen_statistics

CLAIMS = {"digits": {"expect": "tune/test/accuracy >= 0.85"}}
SMALL = {"variant": "tiny", "batch": 8}


def is_trunk(path: str) -> bool:
    return "output" not in path.split("/")


def stages_above(path: str) -> int:
    """Stages of MobileNetV2 between a parameter's and the head, which is 0."""
    name = path.split("/")[0]
    if name.startswith("block"):
        return 9 - int(name[5])
    return {"output": 0, "conv2": 1, "bn2": 1}.get(name, 9)


def experiment(
    *,
    trunk: Literal["trained", "fresh"] = "trained",
    variant: str = "small",
    labels: int = 10,
    batch: int = 25,
    steps: int = 60,
    lr: float = 2e-3,
    decay: float = 1.0,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = digits.load(size=16, data=data, fake=fake)
    task = classification(models.build(mobilenet_v2, variant, classes=5))
    moved = transforms.chain(images.pad_crop_flip(1, flip=False), transforms.unit)
    few = Pipeline(of_classes(train, range(5, 10), labels, seed), batch, seed=seed, transform=moved)
    evals = {"test": EvalSet(of_classes(test, range(5, 10)), transforms.unit)}
    falling = optax.adam(optax.cosine_decay_schedule(lr, steps))
    if trunk == "fresh":
        head = Phase(learn(task, optax.adam(lr)), few, steps, evals, name="head")
        tune = Phase(learn(task, falling), few, steps, evals, name="tune")
        return Experiment(head, tune, seed=seed)
    many = Pipeline(of_classes(train, range(5)), 32, seed=seed, transform=moved)
    before = {"test": EvalSet(of_classes(test, range(5)), transforms.unit)}
    fixed = with_frozen_statistics(task, is_trunk)
    by_depth = scale_by_path(lambda path: 0.5 * decay ** stages_above(path))
    on_top, throughout = freeze(optax.adam(lr), is_trunk), optax.chain(falling, by_depth)
    return Experiment(
        Phase(learn(task, optax.adam(lr)), many, many.steps(8), before, name="before"),
        Phase(
            learn(fixed, on_top), few, steps, evals,
            start=Anew(lambda path: not is_trunk(path)), name="head",
        ),
        Phase(learn(fixed, throughout), few, steps, evals, name="tune"),
        seed=seed,
    )  # fmt: skip
