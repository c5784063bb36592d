"""SimCLR: two versions of an image are told from all others, without labels; then a few labels are given.
Chen et al. 2020, arXiv:2002.05709.

    dljax train experiments/representation/simclr.py
    dljax train experiments/representation/simclr.py --claim mnist
    dljax train experiments/representation/simclr.py --claim imagenet --on configs/gpu_x8.toml

``probe_100`` is a linear classifier of h from a hundred labels, beside pixels (``raw``) and an untrained trunk;
``labels`` fine-tunes with as many, beside a net that begins with nothing. MNIST (16 pixels, one epoch, two minutes
of a core): 78.2 %, pixels 72.5, untrained 54.7; fine-tuned 87.3, from nothing 81.2. Digits (three minutes): 91.4,
87.7, 79.1; 91.6, 91.1. Fashion-MNIST by crops alone is told apart by brightness: 54.2 %, pixels 68.0. ImageNet was
not run.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis import classifier, representation
from dljax.analysis.looks import Rows
from dljax.data import image_sets, subsets, versions
from dljax.experiment import Anew
from dljax.learner import decay_mask
from dljax.models.representation import simclr
from dljax.tasks.classification import classification
from dljax.tasks.contrastive import contrastive
from dljax.tasks.players import beside_untrained, called

CLAIMS = {
    "digits": {"expect": "pretrain/probe_100/gain >= 0.02"},
    "mnist": {
        "dataset": "mnist", "epochs": 1,
        "expect": ["pretrain/probe_100/gain >= 0.03", "labels/test/simclr_accuracy >= 0.85"],
    },
    "imagenet": {
        "dataset": "imagenet", "variant": "50", "epochs": 1000, "batch": 4096, "optimizer": "lars",
        "lr": 4.8, "temperature": 0.1, "labels": 12_811, "tune": 188,
        "expect": "labels/test/simclr_accuracy >= 0.46", "published": "48.3 % with 1 % of the labels",
    },
}  # fmt: skip
SMALL = {"variant": "tiny", "batch": 8, "labels": 16}


def experiment(
    *,
    dataset: Literal["digits", "mnist", "fashion_mnist", "cifar10", "imagenet"] = "digits",
    variant: str = "small",
    epochs: float = 60,
    batch: int = 128,
    optimizer: Literal["adam", "lars"] = "adam",
    lr: float = 1e-3,
    temperature: float = 0.5,
    labels: int = 100,
    tune: int = 200,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    found = image_sets.crops(dataset, data=data, fake=fake)
    held_out, apart = EvalSet(found.test, found.plain), versions.twice(found.distorted)
    pipeline, model = Pipeline(found.train, batch, seed, apart), models.build(simclr, variant)
    task = called(contrastive(model, temperature), model="simclr")
    steps, pairs = pipeline.steps(epochs), EvalSet(found.test, apart)
    rate = optax.warmup_cosine_decay_schedule(0.0, lr, steps // 100, steps)
    lars = optax.lars(rate, 1e-6, decay_mask, trust_ratio_mask=decay_mask)
    tx = {"adam": optax.adam(rate), "lars": lars}[optimizer]
    looks = {"versions": Rows(pairs, ("image", "second"), enlarge=3)}
    looks |= representation.looks(task, task.init, found, seed)
    pretrain = Phase(learn(task, tx), pipeline, steps, {"test": pairs}, looks, name="pretrain")
    net = beside_untrained(classification(simclr.Classifier(model.trunk, found.classes)), "simclr")
    known = subsets.drawn(found.train, labels, seed)
    few = Pipeline(known, min(batch, max(1, len(known) // 8 * 8)), seed, found.crop)
    slow = optax.cosine_decay_schedule(0.05 * few.size / 256, tune)
    sgd = optax.sgd(slow, momentum=0.9, nesterov=True)
    few_labels = Phase(
        learn(net, sgd), few, tune, {"test": held_out}, {"mistakes": classifier.mistakes(net, held_out)},
        start=Anew(lambda path: "trunk" not in path), name="labels",
    )  # fmt: skip
    return Experiment(pretrain, few_labels, seed=seed)
