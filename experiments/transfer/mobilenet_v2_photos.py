"""MobileNetV2, trained on ImageNet, learns five of CIFAR-10's classes from fifty labels each: a new head on
a frozen trunk, then all of it. Kornblith et al. 2019, arXiv:1805.08974, with all labels and ten classes.

    dljax train experiments/transfer/mobilenet_v2_photos.py --data FOLDER
    dljax sweep experiments/transfer/mobilenet_v2_photos.py --trunk trained,fresh --seed 0:5 --data FOLDER

FOLDER has CIFAR-10 (cifar10.npz, or as ``cifar10.load`` says) and torchvision's weights. The phases are
those of mobilenet_v2_digits.py; photos are enlarged to ``size`` pixels, shifted and mirrored. The test set
is 200 of its photos of each class. Over five seeds 80.2 +- 0.7 % after ``head`` and 82.6 +- 0.7 after
``tune``; from a fresh trunk, in the same steps, 36.5 +- 1.3 and 42.1 +- 2.6. Two minutes a seed on one core.
"""

from pathlib import Path
from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models, weights
from dljax.data import images, transforms
from dljax.data.datasets import cifar10
from dljax.data.subsets import of_classes
from dljax.experiment import go_on
from dljax.learner import freeze, scale_by_path
from dljax.models.convnets import mobilenet_v2
from dljax.tasks.classification import classification
from dljax.tasks.transfer import with_frozen_statistics
from dljax.weights import mobilenet_v2 as names

CLAIMS = {"photos": {"expect": "tune/test/accuracy >= 0.80"}}
SMALL = {"variant": "tiny", "batch": 8, "size": 16}
WEIGHTS = "mobilenet_v2-b0353104.pth"


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
    variant: str = "1.0",
    size: int = 96,
    labels: int = 50,
    batch: int = 25,
    steps: int = 60,
    lr: float = 1e-3,
    decay: float = 0.8,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = cifar10.load(data=data, fake=fake)
    model = models.build(mobilenet_v2, variant, classes=5)
    task = classification(model)
    plain = transforms.chain(images.resize(size), images.standardize())
    moved = transforms.chain(images.pad_crop_flip(4), plain)
    few = Pipeline(of_classes(train, range(5), labels, seed), batch, seed=seed, transform=moved)
    evals = {"test": EvalSet(of_classes(test, range(5), 30 if fake else 200), plain)}
    head, tune = optax.adam(lr), optax.adam(optax.cosine_decay_schedule(lr, steps))
    start = go_on
    if trunk == "trained":
        task = with_frozen_statistics(task, is_trunk)
        head = freeze(head, is_trunk)
        tune = optax.chain(tune, scale_by_path(lambda path: 0.1 * decay ** stages_above(path)))
        if not fake:
            file, entries = Path(data) / WEIGHTS, names.entries(model)
            start = weights.load(file, entries, keep=lambda path: not is_trunk(path))
    return Experiment(
        Phase(learn(task, head), few, steps, evals, start=start, name="head"),
        Phase(learn(task, tune), few, steps, evals, name="tune"),
        seed=seed,
    )
