"""ESPCN: images enlarged three times. Shi et al. 2016, arXiv:1609.05158.

    dljax train experiments/super_resolution/espcn.py
    dljax train experiments/super_resolution/espcn.py --claim t91 --data FOLDER

FOLDER has t91/ and set5/. Luma of random windows of ``size`` small pixels, by Adam on the squared error;
the fidelity is that of whole test images. The picture: small, bicubic, the network's, the true image.
Of the photographs 36.96 dB and a similarity of 0.872, bicubic 37.31 (it wins where nothing is sharp) and
0.860; half a minute of one core.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.enlarged import looks
from dljax.data.datasets import photos, t91
from dljax.data.resolution import pairs, windows
from dljax.models.super_resolution import espcn
from dljax.tasks.super_resolution import enlargement

CLAIMS = {
    "photos": {"expect": "fidelity/ssim >= 0.865"},
    "t91": {"dataset": "t91", "steps": 20_000, "expect": "fidelity/psnr >= 31"},
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
    model = models.build(espcn, variant)
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
