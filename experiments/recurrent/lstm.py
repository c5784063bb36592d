"""A character-level LSTM (Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735) on the
English text of Python's own help topics.

    dljax train experiments/recurrent/lstm.py

Two layers of 256; Adam at 4e-3 falling to 4e-4, gradients clipped at 5. Every window starts from a
state of zero. Ten minutes on 2 cores.
"""

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.generate import Text
from dljax.data.datasets import topics
from dljax.data.sources.text import Windows
from dljax.models.recurrent import lstm
from dljax.tasks.language import language

CLAIMS = {"topics": {"expect": "validation/loss <= 1.35"}}
SMALL = {"variant": "tiny", "batch": 8}


def experiment(
    *,
    variant: str = "char",
    steps: int = 1000,
    batch: int = 32,
    context: int = 64,
    lr: float = 4e-3,
    dropout: float = 0.0,
    prompt: str = "The ",
    temperature: float = 0.8,
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    text = topics.load(fake=fake)
    model = models.build(lstm, variant, vocabulary=len(text.vocabulary), dropout=dropout)
    rate = optax.cosine_decay_schedule(lr, steps, alpha=0.1)
    tx = optax.chain(optax.clip_by_global_norm(5.0), optax.adam(rate))
    return Experiment(
        Phase(
            learn(language(model), tx),
            Pipeline(Windows(text.train, context), batch, seed=seed),
            steps,
            evals={"validation": EvalSet(Windows.apart(text.validation, 4 * context))},
            looks={"sample": Text(model, text.vocabulary, prompt, temperature)},
            every=250,
        ),
        seed=seed,
    )
