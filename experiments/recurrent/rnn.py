"""A character-level vanilla recurrent net (Elman 1990, doi:10.1207/s15516709cog1402_1) on the
English text of Python's own help topics.

    dljax train experiments/recurrent/rnn.py

Two layers of 256, on 32 streams of the text: every window of 64 characters begins with the memory that the
window before it left (truncated backpropagation through time). Adam, its rate falling to a tenth, gradients
clipped at 5.
"""

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.generate import Text
from dljax.data.datasets import topics
from dljax.data.sources.text import Streams, Windows
from dljax.models.recurrent import rnn
from dljax.tasks.language import language

CLAIMS = {"topics": {"expect": "validation/loss <= 1.60"}}
SMALL = {"variant": "tiny", "batch": 8}


def experiment(
    *,
    variant: str = "char",
    steps: int = 1000,
    batch: int = 32,
    context: int = 64,
    lr: float = 1e-3,
    dropout: float = 0.0,
    prompt: str = "The ",
    temperature: float = 0.8,
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    text = topics.load(fake=fake)
    model = models.build(
        rnn, variant, vocabulary=len(text.vocabulary), dropout=dropout, remember=True
    )
    rate = optax.cosine_decay_schedule(lr, steps, alpha=0.1)
    tx = optax.chain(optax.clip_by_global_norm(5.0), optax.adam(rate))
    return Experiment(
        Phase(
            learn(language(model), tx),
            Pipeline(Streams(text.train, context, batch), batch, shuffle=False),
            steps,
            evals={"validation": EvalSet(Windows.apart(text.validation, 4 * context))},
            looks={"sample": Text(model, text.vocabulary, prompt, temperature)},
            every=250,
        ),
        seed=seed,
    )
