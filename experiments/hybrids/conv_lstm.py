"""ConvLSTM. Shi et al. 2015, arXiv:1506.04214, section 4.1: the next frames of two digits that bounce.

    dljax train experiments/hybrids/conv_lstm.py
    dljax train experiments/hybrids/conv_lstm.py --claim paper

Digits of scikit-learn on 32 x 32 pixels, five frames from five. The paper's setting is MNIST's digits on
64 x 64, ten frames from ten, of which its best net has 3,670.85 nats for each video; the claim "paper" has its net
and its sizes, but scikit-learn's digits (hours on an accelerator; not run). RMSprop, as in the paper.
"""

from typing import Annotated

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.videos import Ahead
from dljax.data import transforms
from dljax.data.datasets import moving_digits
from dljax.models.hybrids import conv_lstm
from dljax.tasks.frames import next_frames

CLAIMS = {
    "digits": {"expect": "test/mse <= 0.035"},
    "paper": {
        "variant": "128-64-64",
        "size": 64,
        "ahead": 10,
        "steps": 20_000,
        "batch": 16,
        "lr": 1e-3,
        "expect": "test/loss <= 3700",
    },
}
SMALL = {"variant": "tiny", "batch": 8, "size": 16, "ahead": 2, "lr": 1e-2}


def experiment(
    *,
    variant: str = "small",
    size: Annotated[int, ">= 16"] = 32,
    ahead: Annotated[int, ">= 1"] = 5,
    steps: int = 1500,
    batch: int = 16,
    lr: float = 3e-3,
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = moving_digits.bouncing(frames=2 * ahead, size=size, fake=fake)
    task = next_frames(models.build(conv_lstm, variant, ahead=ahead))
    held_out = EvalSet(test, transforms.unit)
    rate = optax.cosine_decay_schedule(lr, steps)
    return Experiment(
        Phase(
            learn(task, optax.chain(optax.clip_by_global_norm(1000.0), optax.rmsprop(rate, 0.9))),
            Pipeline(train, batch, seed=seed, transform=transforms.unit),
            steps,
            evals={"test": held_out},
            looks={"ahead": Ahead(task, held_out)},
            every=max(1, steps // 3),
        ),
        seed=seed,
    )
