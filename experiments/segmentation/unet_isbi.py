"""U-Net on electron-microscopy slices (ISBI 2012): cell or membrane? Ronneberger et al. 2015,
arXiv:1505.04597, section 4.

    dljax train experiments/segmentation/unet_isbi.py --data FOLDER

Random windows of 20 slices, turned and mirrored (without the paper's elastic deformations and weight
map); whole slices in evaluation. ``--variant 1to2`` is the paper's network, for an accelerator. The
picture shows a test slice, the probability of cell, and the truth. Three minutes on one core.
"""

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.looks import Beside
from dljax.data import transforms
from dljax.data.datasets import isbi
from dljax.models.segmentation import unet
from dljax.tasks.segmentation import segmentation

CLAIMS = {"isbi": {"expect": "test/accuracy >= 0.90"}}
SMALL = {"variant": "tiny", "batch": 8, "crop": 32}


def experiment(
    *,
    variant: str = "small",
    steps: int = 600,
    batch: int = 4,
    lr: float = 1e-3,
    crop: int = 128,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = isbi.load(data=data, fake=fake)
    windows = transforms.chain(isbi.crops(crop), transforms.unit)
    task = segmentation(models.build(unet, variant, classes=isbi.CLASSES))
    held_out = EvalSet(test, transforms.unit)
    return Experiment(
        Phase(
            learn(task, optax.adam(optax.cosine_decay_schedule(lr, steps, alpha=0.05))),
            Pipeline(train, batch, seed=seed, transform=windows),
            steps,
            evals={"test": held_out},
            looks={"segmentations": Beside(task, held_out, n=1, enlarge=1)},
            every=max(1, steps // 3),
        ),
        seed=seed,
    )
