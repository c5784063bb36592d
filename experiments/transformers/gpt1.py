"""GPT, the first (Radford et al. 2018): post-norm blocks, here with 4 layers, 4 heads, 128 features, 64
characters of context.

    dljax train experiments/transformers/gpt1.py
    dljax train experiments/transformers/gpt1.py --claim books --data FILE --tokenizer 40478

The paper's setting (section 4.1): Adam with decoupled decay of 0.01 on matrices, 2000 steps of warm-up,
a cosine to zero, batches of 64 windows of 512 tokens. BooksCorpus (18.4 of perplexity in the paper) is not to
be had any more: "books" builds on any text, with byte pairs of --tokenizer in place of the paper's, its steps
a hundred epochs of a billion tokens.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.generate import Text
from dljax.data.datasets import corpus, shakespeare, topics
from dljax.data.sources.text import Windows
from dljax.learner import decay_mask
from dljax.models.transformers import gpt1
from dljax.tasks.language import language

CLAIMS = {
    "topics": {"expect": "validation/loss <= 1.40"},
    "books": {
        "dataset": "text", "variant": "gpt1", "steps": 3_000_000, "batch": 64, "lr": 2.5e-4,
        "dropout": 0.1, "expect": "validation/loss <= 2.92",
    },
}  # fmt: skip
SMALL = {"variant": "tiny", "batch": 8}


def experiment(
    *,
    dataset: Literal["topics", "shakespeare", "text"] = "topics",
    variant: str = "char-small",
    steps: int = 2000,
    batch: int = 16,
    lr: float = 1e-3,
    dropout: float | None = None,
    prompt: str = "The ",
    temperature: float = 0.8,
    tokenizer: str = "",
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    if dataset == "text":
        size = models.build(gpt1, variant).vocabulary
        text = corpus.load(data, tokenizer, size=size, fake=fake)
    else:
        text = {"topics": topics, "shakespeare": shakespeare}[dataset].load(data, fake=fake)
    model = models.build(gpt1, variant, vocabulary=len(text.vocabulary), dropout=dropout)

    warmup = max(1, min(2000, steps // 20))
    rate = optax.warmup_cosine_decay_schedule(0.0, lr, warmup, max(steps, warmup + 1))
    decay = 0.01 if dataset == "text" else 0.1
    adamw = optax.adamw(rate, b1=0.9, b2=0.999, weight_decay=decay, mask=decay_mask)
    tx = optax.chain(optax.clip_by_global_norm(1.0), adamw)
    sample = Text(model, text.vocabulary, prompt, temperature, context=model.context)
    held_out = EvalSet(Windows.apart(text.validation, model.context))
    train = Pipeline(Windows(text.train, model.context), batch, seed=seed)
    evals, looks = {"validation": held_out}, {"sample": sample}
    return Experiment(Phase(learn(language(model), tx), train, steps, evals, looks, 500), seed=seed)
