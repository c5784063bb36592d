"""A character-level GPT on the English text of Python's own help topics.

    dljax train experiments/transformers/gpt_topics.py

Radford et al. 2019's network with 4 layers, 4 heads, 128 features, 64 characters of context, no
biases; AdamW with nanoGPT's settings but a batch of 16 and twice the rate.
Expected: a validation loss of 1.30 nats per character (at most 1.35) after 2000 steps, five minutes on 2
cores.
"""

import jax
import optax

from dljax import Experiment, at_most, models
from dljax.analysis.generate import text_view
from dljax.data import EvalSet, Pipeline
from dljax.data.datasets import topics
from dljax.data.sources.text import Windows
from dljax.learner import make_learner, players
from dljax.models.transformers import gpt
from dljax.tasks.language import language


def experiment(
    *,
    variant: str = "char-small",
    steps: int = 2000,
    batch: int = 16,
    lr: float = 2e-3,
    warmup: int = 100,
    decay: float = 0.1,
    dropout: float = 0.0,
    prompt: str = "The ",
    temperature: float = 0.8,
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    text = topics.load(fake=fake)
    model = models.build(gpt, variant, vocabulary=len(text.vocabulary), dropout=dropout)
    task = language(model)

    def matrices(params):
        return jax.tree.map(lambda x: x.ndim > 1, params)

    rate = optax.warmup_cosine_decay_schedule(0.0, lr, warmup, max(steps, warmup + 1), lr / 10)
    tx = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adamw(rate, b1=0.9, b2=0.99, weight_decay=decay, mask=matrices),
    )
    return Experiment(
        learner=make_learner(task.init, players(task.losses, tx), evaluate=task.evaluate),
        data=Pipeline(Windows(text.train, model.context), batch, seed=seed),
        steps=steps,
        evals={"validation": EvalSet(Windows.apart(text.validation, model.context), 128)},
        eval_every=500,
        views={
            "sample": text_view(
                model,
                text.vocabulary,
                prompt=prompt,
                temperature=temperature,
                context=model.context,
            )
        },
        expect={"validation/loss": at_most(1.35)},
        seed=seed,
    )
