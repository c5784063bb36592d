"""SRResNet: images enlarged four times, in color. Ledig et al. 2017, arXiv:1609.04802, section 2.1.1.

    dljax train experiments/super_resolution/srresnet.py
    dljax train experiments/super_resolution/srresnet.py --claim t91 --data FOLDER

FOLDER has t91/ and set5/. Random windows of ``size`` small pixels, by Adam on the squared error; the fidelity
is that of whole test images. "t91" is the paper's network and steps, for an accelerator; the paper learned
from 350,000 images of ImageNet. The picture: small, bicubic, the network's, the true image.
"photos" ends at 30.0 dB after 1,500 steps (four minutes of one core), still far below bicubic's 36.6: without a path
around it the network must first learn to pass the image through.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.enlarged import looks
from dljax.data.datasets import photos, t91
from dljax.data.resolution import pairs, windows
from dljax.models.super_resolution import srresnet
from dljax.tasks.super_resolution import enlargement

CLAIMS = {
    "photos": {"expect": "fidelity/psnr >= 27"},
    "t91": {
        "dataset": "t91",
        "variant": "16",
        "batch": 16,
        "size": 24,
        "steps": 1_000_000,
        "lr": 1e-4,
        "expect": "fidelity/psnr >= 30",
        "published": "32.05 dB on Set5, from ImageNet's images",
    },
}
SMALL = {"variant": "tiny", "batch": 8, "size": 8}
DATASETS = {"photos": photos.parts, "t91": t91.load}


def experiment(
    *,
    dataset: Literal["photos", "t91"] = "photos",
    variant: str = "small",
    steps: int = 1500,
    batch: int = 4,
    size: int = 12,
    lr: float = 1e-3,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    model = models.build(srresnet, variant)
    train, test = (
        pairs(part, model.scale, gray=False) for part in DATASETS[dataset](data=data, fake=fake)
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
