"""Progressive GAN: both networks grow from 4x4 pixels. Karras et al. 2018, arXiv:1710.10196.

    dljax train experiments/adversarial/progressive_gan.py
    dljax train experiments/adversarial/progressive_gan.py --claim mnist
    dljax train experiments/adversarial/progressive_gan.py --claim olivetti --data FOLDER

A phase for each size: 4x4, 8x8, ... and ``full``. In the first half of each but the first its new layers
fade in, and with them the detail of the images. On digits of 16x16 pixels energy 0.036 and coverage 0.32
after 8 epochs a phase (719 steps), two and a half minutes of one core. Faces of 32x32 pixels have eyes, nose
and mouth after 600 steps a phase, and are grainy: no copies, and far from done.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis import generated
from dljax.analysis.latents import Interpolations
from dljax.analysis.looks import Samples
from dljax.data import transforms
from dljax.data.datasets import cifar10, digits, mnist, olivetti
from dljax.data.resolution import averaged
from dljax.models.adversarial import progressive_gan
from dljax.tasks.adversarial import adversarial, images_of, wasserstein
from dljax.tasks.growing import fading, grown

CLAIMS = {
    "digits": {"expect": ["full/likeness/energy <= 0.1", "full/neighbors/coverage >= 0.2"]},
    "mnist": {"dataset": "mnist", "size": 32, "epochs": 1, "expect": "full/likeness/energy <= 0.3"},
    "olivetti": {
        "dataset": "olivetti", "size": 32, "epochs": 100, "expect": "full/neighbors/coverage >= 0.2",
    },
    "cifar10": {
        "dataset": "cifar10", "variant": "32", "size": 32, "epochs": 24, "ema": 0.999,
        "expect": "full/neighbors/coverage >= 0.2", "published": "inception score 8.56, the best 8.80",
    },
}  # fmt: skip
SMALL = {"variant": "tiny", "size": 8, "batch": 8}
DATASETS = {"digits": digits, "mnist": mnist, "olivetti": olivetti, "cifar10": cifar10}


def experiment(
    *,
    dataset: Literal["digits", "mnist", "olivetti", "cifar10"] = "digits",
    variant: str = "small",
    size: int = 16,
    epochs: float = 8,
    batch: int = 16,
    lr: float = 1e-3,
    ema: float = 0.99,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = DATASETS[dataset].load(data=data, fake=fake)
    channels = train.arrays["image"].shape[-1]
    whole = models.build(progressive_gan, variant, size=size, channels=channels)
    game, phases = wasserstein(penalty=10.0, drift=0.001), []
    for side in whole.sizes:
        shown = transforms.chain(transforms.signed, averaged(side))
        pipeline = Pipeline(train, batch, seed=seed, transform=shown)
        known, held_out = EvalSet(train, shown), EvalSet(test, shown)
        parts, last = whole.at(side).parts(), side == whole.size
        task = adversarial(*parts, whole.latent, game=game)
        learner = learn(task, optax.adam(lr, b1=0.0, b2=0.99), ema=ema)
        looks: dict = {"samples": Samples(task.sample, enlarge=max(1, 64 // side))}
        if last:
            looks = generated.looks(task.sample, known, held_out, low=-1.0)
            looks["interpolations"] = Interpolations(images_of(parts[0]), whole.latent)
        learner = fading(learner, pipeline.steps(epochs / 2) if phases else 0)
        name, steps = "full" if last else f"{side}x{side}", pipeline.steps(epochs)
        evals = {"test": held_out}
        phases.append(Phase(learner, pipeline, steps, evals, looks, start=grown, name=name))
    return Experiment(*phases, seed=seed)
