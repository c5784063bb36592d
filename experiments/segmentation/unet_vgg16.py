"""U-Net whose contracting path is VGG16. Ronneberger et al. 2015, arXiv:1505.04597; Iglovikov & Shvets 2018,
arXiv:1801.05746.

    dljax train experiments/segmentation/unet_vgg16.py
    dljax train experiments/segmentation/unet_vgg16.py --claim isbi --data FOLDER
    dljax train experiments/segmentation/unet_vgg16.py --claim isbi --data FOLDER --variant 16-bn --encoder FILE

Collages of digits in as many steps as the plain net has in ``unet_collages.py``, and the slices of
``unet_isbi.py`` with the paper's elastic deformations. ``small`` is VGG at a quarter of its width; ``--encoder`` takes
torchvision's VGG16 (``16``, or ``16-bn`` with BatchNorm). The slices are predicted in overlapping tiles. Lines
are the boundaries of the guess (red), the truth (green) and both (yellow).
"""

from pathlib import Path
from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models, weights
from dljax.analysis.segmentations import Outlines, SegmentationScores, Segmenter
from dljax.data import images, transforms
from dljax.data.datasets import digit_collages, isbi
from dljax.data.elastic import elastic
from dljax.experiment import go_on
from dljax.models.segmentation import unet_vgg16
from dljax.tasks.segmentation import segmentation
from dljax.weights import unet_vgg16 as names

CLAIMS = {
    "collages": {"expect": "test/iou >= 0.85"},
    "isbi": {
        "dataset": "isbi", "steps": 600, "batch": 4, "lr": 1e-3, "size": 128,
        "expect": "whole/boundary_f1 >= 0.80",
    },
}  # fmt: skip
SMALL = {"variant": "tiny", "batch": 8, "size": 32}


def experiment(
    *,
    dataset: Literal["collages", "isbi"] = "collages",
    variant: str = "small",
    steps: int = 375,
    batch: int = 16,
    lr: float = 2e-3,
    size: int = 64,
    encoder: str = "",
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    scaled = transforms.chain(images.as_color, images.standardize())
    if dataset == "collages":
        train, test = digit_collages.load(size=size, fake=fake)
        scaled = transforms.chain(digit_collages.whole_digits, scaled)
        augmented, segmenter = scaled, {"n": 8}
    else:
        train, test = isbi.load(data=data, fake=fake)
        augmented = transforms.chain(isbi.crops(size), elastic(10.0 * size / 512), scaled)
        segmenter = {"tile": 2 * size, "margin": size // 4, "n": 2}
    model = models.build(unet_vgg16, variant, classes=2)
    task, held_out = segmentation(model), EvalSet(test, scaled)
    rate = optax.cosine_decay_schedule(lr, steps, alpha=0.05)
    start = go_on
    if encoder:
        start = weights.load(
            Path(encoder), names.encoder(model), keep=lambda path: not names.is_encoder(path)
        )
    looks = {
        "outlines": Outlines(Segmenter(task, held_out, **segmenter)),
        "whole": SegmentationScores(Segmenter(task, held_out, **{**segmenter, "n": 0})),
    }
    pipeline = Pipeline(train, batch, seed=seed, transform=augmented)
    evals, every = {"test": held_out}, max(1, steps // 3)
    learner = learn(task, optax.adam(rate))
    return Experiment(Phase(learner, pipeline, steps, evals, looks, every, start=start), seed=seed)
