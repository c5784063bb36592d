"""FSRCNN: images enlarged three times. Dong et al. 2016, arXiv:1608.00367.

    dljax train experiments/super_resolution/fsrcnn.py
    dljax train experiments/super_resolution/fsrcnn.py --claim t91 --data FOLDER

FOLDER has t91/ and set5/. Luma of random windows of ``size`` small pixels, by Adam on the squared error;
the fidelity is that of whole test images. The picture: small, bicubic, the network's, the true image.
Of the photographs 36.20 dB, bicubic has 37.31; on T91, 4,500 steps (80 s of one core) reach 31.44 dB on
Set5, still rising; bicubic has 30.39.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.enlarged import looks
from dljax.data.datasets import photos, t91
from dljax.data.resolution import pairs, windows
from dljax.models.super_resolution import fsrcnn
from dljax.tasks.super_resolution import enlargement

CLAIMS = {
    "photos": {"expect": "fidelity/psnr >= 35.5"},
    "t91": {
        "dataset": "t91",
        "steps": 40_000,
        "expect": "fidelity/psnr >= 32.5",
        "published": "33.06 dB on Set5, also from ImageNet images; 33.22 by T91 alone (yjn870)",
    },
}
SMALL = {"variant": "tiny", "batch": 8, "size": 8}
DATASETS = {"photos": photos.parts, "t91": t91.load}


def experiment(
    *,
    dataset: Literal["photos", "t91"] = "photos",
    variant: str = "x3",
    steps: int = 2000,
    batch: int = 6,
    size: int = 20,
    lr: float = 3e-3,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    model = models.build(fsrcnn, variant)
    train, test = (
        pairs(part, model.scale, gray=True) for part in DATASETS[dataset](data=data, fake=fake)
    )
    window = windows(size, model.scale)
    task = enlargement(model)
    return Experiment(
        Phase(
            learn(task, optax.adam(optax.cosine_decay_schedule(lr, steps, alpha=0.01))),
            Pipeline(train, batch, seed=seed, transform=window),
            steps,
            evals={"test": EvalSet(test, window)},
            looks=looks(task, test),
            every=max(1, steps // 4),
        ),
        seed=seed,
    )
