"""A masked autoencoder: three quarters of the patches are restored from the rest, without labels; then a few
labels are given. He et al. 2021, arXiv:2111.06377.

    dljax train experiments/representation/mae.py
    dljax train experiments/representation/mae.py --claim imagenet --on configs/gpu_x8.toml

The loss is of hidden patches, each with its own mean and deviation taken away: 1 is no better than these. The
picture has what the encoder sees, what is restored, and the truth. ``labels`` fine-tunes with a hundred labels beside a
net that begins with nothing. Digits, two minutes of a core: a loss of 0.43; fine-tuned 80.8 %, from nothing in
as many steps 32.0. A linear classifier of the frozen tokens' mean (``probe_100``) has 81.6 %, less than of pixels,
87.7. ImageNet was not run; it is fine-tuned without the paper's layer-wise rates, mixup and drop path.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis import classifier, representation
from dljax.data import image_sets, subsets
from dljax.experiment import Anew
from dljax.learner import decay_mask
from dljax.models.representation import mae
from dljax.tasks.classification import classification
from dljax.tasks.masked_images import filled_in, masked_autoencoding
from dljax.tasks.players import beside_untrained, called

CLAIMS = {
    "digits": {"expect": ["pretrain/test/loss <= 0.5", "labels/test/mae_accuracy >= 0.75"]},
    "mnist": {"dataset": "mnist", "epochs": 2, "expect": "labels/test/mae_accuracy >= 0.75"},
    "imagenet": {
        "dataset": "imagenet", "variant": "B/16", "epochs": 800, "batch": 4096, "lr": 2.4e-3,
        "decay": 0.05, "labels": 0, "tune": 31_250,
        "expect": "labels/test/mae_accuracy >= 0.8", "published": "83.6 % (1600 epochs)",
    },
}  # fmt: skip
SMALL = {"variant": "tiny", "batch": 8, "labels": 16}


def experiment(
    *,
    dataset: Literal["digits", "mnist", "fashion_mnist", "cifar10", "imagenet"] = "digits",
    variant: str = "small",
    epochs: float = 100,
    batch: int = 128,
    lr: float = 2e-3,
    decay: float = 0.05,
    normalized: bool = True,
    labels: int = 100,
    tune: int = 200,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    found = image_sets.crops(dataset, data=data, fake=fake)
    held_out, model = EvalSet(found.test, found.plain), models.build(mae, variant)
    pipeline = Pipeline(found.train, batch, seed, found.crop)
    masked = masked_autoencoding(model, mae.patches, normalized=normalized)
    fill = filled_in(model, mae.patches, mae.joined, normalized=normalized, player="mae")
    task, steps = called(masked, model="mae"), pipeline.steps(epochs)
    rate = optax.warmup_cosine_decay_schedule(0.0, lr, steps // 20, steps)
    pretrain = Phase(
        learn(task, optax.adamw(rate, b2=0.95, weight_decay=decay, mask=decay_mask)),
        pipeline, steps, {"test": held_out},
        {
            "masked": representation.Masked(fill, held_out),
            **representation.looks(task, task.init, found, seed),
        },
        name="pretrain",
    )  # fmt: skip
    net = beside_untrained(classification(mae.Classifier(model.encoder, found.classes)), "mae")
    known = subsets.drawn(found.train, labels, seed)
    few = Pipeline(known, min(batch, max(1, len(known) // 8 * 8)), seed, found.crop)
    slow = optax.warmup_cosine_decay_schedule(0.0, lr / 4, tune // 20, tune)
    few_labels = Phase(
        learn(net, optax.adamw(slow, b2=0.999, weight_decay=decay, mask=decay_mask)),
        few, tune, {"test": held_out}, {"mistakes": classifier.mistakes(net, held_out)},
        start=Anew(lambda path: "encoder" not in path), name="labels",
    )  # fmt: skip
    return Experiment(pretrain, few_labels, seed=seed)
