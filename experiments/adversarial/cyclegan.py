"""CycleGAN: from one style of image to another, without pairs. Zhu et al. 2017, arXiv:1703.10593.

    dljax train experiments/adversarial/cyclegan.py
    dljax train experiments/adversarial/cyclegan.py --claim emoji --data FOLDER

Digits in white on black, and other digits in black on white (or as outlines); Twitter's emoji and Google's of other
characters. Adam at 2e-4 (beta1 0.5), constant for half of the steps, then falling to zero, as in the paper. The
pairs that a test set has say how near a translation comes: ``scores/l1``, and the share whose nearest target
is their own, beside the images left untouched: of digits 0.046 and 0.98 (untouched 0.656 and 0), two minutes of
one core. Published sets (horse2zebra) have 256x256 pixels.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.translated_images import Translated, TranslationScores
from dljax.data import Arrays, transforms
from dljax.data.datasets import digit_styles, emoji
from dljax.models.adversarial import cyclegan, patchgan
from dljax.tasks.image_translation import unpaired

CLAIMS = {
    "digits": {"expect": ["scores/l1 <= 0.08", "scores/retrieval >= 0.9"]},
    "emoji": {
        "dataset": "emoji", "size": 32, "steps": 4000, "variant": "6", "discriminator": "16", "batch": 1,
        "expect": ["scores/l1 <= 0.167", "scores/retrieval >= 0.528"],
    },
}  # fmt: skip
SMALL = {"variant": "tiny", "discriminator": "tiny", "batch": 8}


def experiment(
    *,
    dataset: Literal["inverted", "outlined", "emoji"] = "inverted",
    variant: str = "small",
    discriminator: str = "16",
    size: int = 16,
    steps: int = 1500,
    batch: int = 4,
    lr: float = 2e-4,
    identity: float = 0.0,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    if dataset == "emoji":
        train, test = emoji.load(size=size, data=data, fake=fake)
    else:
        train, test = digit_styles.load(dataset, size=size, data=data, fake=fake)
    # No example is on both sides.
    a = Arrays({"image": train.arrays["image"][::2]})
    b = Arrays({"image": train.arrays["target"][1::2]})
    other = transforms.unpaired(b, {"image": "other"}, transforms.signed)
    pipeline = Pipeline(a, batch, seed=seed, transform=transforms.chain(transforms.signed, other))
    channels = train.arrays["image"].shape[-1]
    generator = models.build(cyclegan, variant, channels=channels)
    task = unpaired(generator, models.build(patchgan, discriminator), identity=identity)
    rate = optax.linear_schedule(lr, 0.0, steps - steps // 2, steps // 2)
    held_out = EvalSet(test, transforms.signed)
    looks = {
        "translated": Translated(task, held_out),
        "scores": TranslationScores(task, held_out),
    }
    learner, evals = learn(task, optax.adam(rate, b1=0.5)), {"test": held_out}
    return Experiment(Phase(learner, pipeline, steps, evals, looks, max(1, steps // 3)), seed=seed)
