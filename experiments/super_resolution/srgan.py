"""SRGAN: SRResNet, then the game that makes its images realistic. Ledig et al. 2017, arXiv:1609.04802.

    dljax train experiments/super_resolution/srgan.py
    dljax train experiments/super_resolution/srgan.py --features block3_2 --data FOLDER

Phases: ``content`` (the squared error), ``game``. By default the content of the game is pixels, which the paper
calls SRGAN-MSE. ``features`` is a block of MobileNetV2 in their place (FOLDER has torchvision's weights of it,
and t91/ and set5/ for ``--dataset t91``), not the paper's VGG19. A game lowers the PSNR and draws more texture.
The small network's 300 steps end at 23.5 dB, blurred and with faded colors; 100 of the game at 25.8, with a
checkered texture; bicubic has 36.6. So it shows that the phases go on, and no good enlargement yet.
"""

from pathlib import Path
from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models, weights
from dljax.analysis.enlarged import looks
from dljax.data.datasets import photos, t91
from dljax.data.resolution import pairs, windows
from dljax.experiment import go_on
from dljax.models.convnets import mobilenet_v2
from dljax.models.super_resolution import srgan, srresnet
from dljax.tasks.players import called
from dljax.tasks.super_resolution import enlargement, layer, realistic_enlargement
from dljax.weights import mobilenet_v2 as names

CLAIMS = {
    "photos": {"expect": "game/fidelity/psnr >= 20"},
}
SMALL = {"variant": "tiny", "batch": 8, "size": 8}
WEIGHTS = "mobilenet_v2-b0353104.pth"


def experiment(
    *,
    dataset: Literal["photos", "t91"] = "photos",
    variant: str = "small",
    features: str = "",
    steps: int = 300,
    batch: int = 4,
    size: int = 12,
    lr: float = 1e-3,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    model = models.build(srresnet, variant)
    judge = models.build(srgan, "96" if variant == "16" else variant)
    load = t91.load(data=data, fake=fake) if dataset == "t91" else photos.parts(fake=fake)
    train, test = (pairs(part, model.scale, gray=False) for part in load)
    window = windows(size, model.scale)
    network, start = models.build(mobilenet_v2, "1.0"), go_on
    content, game = called(enlargement(model), model="generator"), None
    if features:
        game = realistic_enlargement(model, judge, 1e-3, layer(network, features), network)
        if not fake:
            start = weights.load(Path(data) / WEIGHTS, names.entries(network), "features")
    game = game or realistic_enlargement(model, judge)
    pipeline = Pipeline(train, batch, seed=seed, transform=window)

    def phase(task, name, tx, steps, start=go_on):
        evals = {"test": EvalSet(test, window)}
        return Phase(
            learn(task, tx), pipeline, steps, evals, looks(task, test), start=start, name=name
        )

    return Experiment(
        phase(content, "content", optax.adam(lr), steps),
        phase(game, "game", optax.adam(lr / 10), max(1, steps // 3), start),
        seed=seed,
    )
