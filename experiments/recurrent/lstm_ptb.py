"""Word-level LSTM on files in the Penn Treebank's format. Zaremba et al. 2014, arXiv:1409.2329,
Table 1; the small model of the paper's program: test perplexity 115, a loss of 4.74 nats.

    dljax train experiments/recurrent/lstm_ptb.py --data FOLDER

The program's setting: 20 windows of 20 words, SGD at 1.0 for five epochs and halved after each from
the fifth on, 13 epochs, gradients (summed over time) clipped at 5; each window begins with the memory
that the one before it left. Windows of 350 words measure, from zero. Not yet run (hours on 2 cores).
"""

import jax.numpy as jnp
import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.data.datasets import ptb
from dljax.data.sources.text import Streams, Windows
from dljax.models.recurrent import lstm
from dljax.tasks.language import language

CLAIMS = {"ptb": {"expect": "test/loss <= 4.80", "published": "4.74 nats (perplexity 115)"}}
SMALL = {"variant": "tiny", "batch": 8}


def experiment(
    *,
    data: str = "",
    variant: str = "small",
    epochs: float = 13,
    batch: int = 20,
    context: int = 20,
    lr: float = 1.0,
    flat: float = 4,
    falling: float = 0.5,
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    text = ptb.load(data, fake=fake)
    model = models.build(lstm, variant, vocabulary=len(text.vocabulary), remember=True)
    streams = Streams(text.train, context, batch)
    epoch = streams.windows

    def rate(step):
        # The program halves at the end of an epoch, once more than ``flat`` are done.
        return lr * falling ** jnp.maximum(step // epoch - flat, 0)

    tx = optax.chain(optax.scale(context), optax.clip_by_global_norm(5.0), optax.sgd(rate))
    return Experiment(
        Phase(
            learn(language(model), tx),
            Pipeline(streams, batch, shuffle=False),
            max(1, round(epochs * epoch)),
            evals={
                "validation": EvalSet(Windows.apart(text.validation, 350)),
                "test": EvalSet(Windows.apart(text.test, 350)),
            },
            every=epoch,
        ),
        seed=seed,
    )
