"""A character-level LSTM (Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735) on the
English text of Python's own help topics.

    dljax train experiments/recurrent/lstm_topics.py

Two layers of 256; Adam at 4e-3 falling to 4e-4, gradients clipped at 5. Every window starts from a
state of zero.
Expected: a validation loss of 1.28 nats per character (at most 1.35) after 1000 steps, ten minutes
on 2 cores.
"""

import optax

from dljax import Experiment, at_most, models
from dljax.analysis.generate import text_view
from dljax.data import EvalSet, Pipeline
from dljax.data.datasets import topics
from dljax.data.sources.text import Windows
from dljax.learner import make_learner, players
from dljax.models.recurrent import lstm
from dljax.tasks.language import language


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
    task = language(model)
    tx = optax.chain(
        optax.clip_by_global_norm(5.0),
        optax.adam(optax.cosine_decay_schedule(lr, steps, alpha=0.1)),
    )
    return Experiment(
        learner=make_learner(task.init, players(task.losses, tx), evaluate=task.evaluate),
        data=Pipeline(Windows(text.train, context), batch, seed=seed),
        steps=steps,
        evals={"validation": EvalSet(Windows.apart(text.validation, 4 * context), 32)},
        eval_every=250,
        views={"sample": text_view(model, text.vocabulary, prompt=prompt, temperature=temperature)},
        expect={"validation/loss": at_most(1.35)},
        seed=seed,
    )
