"""pix2pix: from one style of image to another, from pairs. Isola et al. 2017, arXiv:1611.07004.

    dljax train experiments/adversarial/pix2pix.py
    dljax train experiments/adversarial/pix2pix.py --claim emoji --data FOLDER

Outlines of digits are filled in; Twitter's emoji become Google's. Adam at 2e-4 (beta1 0.5), constant for half of the
steps, then falling to zero; an L1 distance of weight 100, as in the paper. ``scores`` has the mean difference to
the target, and the share of images whose nearest target is their own, beside those of the images left untouched:
of digits 0.033 and 0.997 (untouched 0.226 and 0.039), two minutes of one core. Published sets (facades) have
256x256 pixels.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.translated_images import Translated, TranslationScores
from dljax.data import Arrays, transforms
from dljax.data.datasets import digit_styles, emoji
from dljax.models.adversarial import patchgan, pix2pix
from dljax.tasks.image_translation import paired

CLAIMS = {
    "digits": {"expect": ["scores/l1 <= 0.05", "scores/retrieval >= 0.95"]},
    "emoji": {
        "dataset": "emoji", "size": 32, "steps": 4000, "batch": 4,
        "expect": ["scores/l1 <= 0.167", "scores/retrieval >= 0.528"],
    },
}  # fmt: skip
SMALL = {"variant": "tiny", "discriminator": "tiny", "batch": 8}


def experiment(
    *,
    dataset: Literal["outlined", "inverted", "emoji"] = "outlined",
    variant: str = "small",
    discriminator: str = "16",
    size: int = 16,
    steps: int = 1500,
    batch: int = 8,
    lr: float = 2e-4,
    weight: float = 100.0,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    if dataset == "emoji":
        train, test = emoji.load(size=size, data=data, fake=fake)
    else:  # from the other style to the digit
        train, test = (
            Arrays({"image": one.arrays["target"], "target": one.arrays["image"]})
            for one in digit_styles.load(dataset, size=size, data=data, fake=fake)
        )
    pipeline = Pipeline(train, batch, seed=seed, transform=transforms.signed)
    generator = models.build(pix2pix, variant, channels=train.arrays["image"].shape[-1])
    task = paired(generator, models.build(patchgan, discriminator, norm="batch"), weight=weight)
    rate = optax.linear_schedule(lr, 0.0, steps - steps // 2, steps // 2)
    held_out = EvalSet(test, transforms.signed)
    looks = {
        "translated": Translated(task, held_out),
        "scores": TranslationScores(task, held_out),
    }
    learner, evals = learn(task, optax.adam(rate, b1=0.5)), {"test": held_out}
    return Experiment(Phase(learner, pipeline, steps, evals, looks, max(1, steps // 3)), seed=seed)
