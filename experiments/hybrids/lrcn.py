"""LRCN. Donahue et al. 2014, arXiv:1411.4389, section 4: convolutions on each frame and an LSTM over them.

    dljax train experiments/hybrids/lrcn.py
    dljax train experiments/hybrids/lrcn.py --claim frame

A digit that moves up, down, left or right: 40 classes of digit and direction. The second claim has the same net
see one frame, of which the digit can be told and the direction cannot: a quarter is right by chance.
Of videos digit, direction and both are right in 0.86, 0.73 and 0.63, of frames in 0.77, 0.26 and 0.19 (three minutes and
half a minute of one core). The paper's net ("activity", on UCF-101) is among the variants.
"""

from typing import Annotated

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis import videos
from dljax.analysis.predictions import Score
from dljax.data import transforms
from dljax.data.datasets import moving_digits
from dljax.models.hybrids import lrcn
from dljax.tasks.classification import classification

CLAIMS = {
    "video": {"expect": ["test/accuracy >= 0.6", "parts/direction >= 0.7"]},
    "frame": {"frames": 1, "expect": ["parts/direction <= 0.35", "parts/digit >= 0.72"]},
}
SMALL = {"variant": "tiny", "batch": 8, "frames": 3, "lr": 1e-2}


def experiment(
    *,
    variant: str = "small",
    frames: Annotated[int, ">= 1"] = 6,
    epochs: float = 30,
    batch: int = 32,
    lr: float = 1e-3,
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = moving_digits.directed(frames=frames, fake=fake)
    task = classification(models.build(lrcn, variant, classes=len(moving_digits.NAMES)))
    pipeline = Pipeline(train, batch, seed=seed, transform=transforms.unit)
    steps, held_out = pipeline.steps(epochs), EvalSet(test, transforms.unit)
    rate = optax.cosine_decay_schedule(lr, steps)
    return Experiment(
        Phase(
            learn(task, optax.chain(optax.clip_by_global_norm(5.0), optax.adam(rate))),
            pipeline,
            steps,
            evals={"test": held_out},
            looks={
                "parts": Score(task, held_out, videos.digit_and_direction),
                "mistakes": videos.Strips(task, held_out, moving_digits.NAMES),
            },
            every=pipeline.steps(epochs / 3),
        ),
        seed=seed,
    )
