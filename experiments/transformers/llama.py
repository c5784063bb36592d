"""A small Llama (Touvron et al. 2023, arXiv:2302.13971): 4 layers, 4 heads that share 2, 128 features, 64
characters of context; and llama2.c's models of TinyStories.

    dljax train experiments/transformers/llama.py
    dljax train experiments/transformers/llama.py --claim tinystories --data FILE --tokenizer tok512.bin

The setting of ``gpt.py``, so that the two architectures can be compared at one size: AdamW (beta2 0.99,
decay 0.1 on matrices), a cosine to a tenth after a warm-up, gradients clipped at 1. "topics" are the English
texts of Python's own help: 1.217 with seed 0, where the ledger has 1.298 for gpt.py's net. "tinystories" is
llama2.c's stories260K (which has 1.2968 by its own tokenizer of 512 pieces, to be named with --tokenizer), whose
text has its stories apart by <|endoftext|>.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.generate import Text
from dljax.data.datasets import corpus, shakespeare, topics
from dljax.data.sources import pieces
from dljax.data.sources.text import Windows
from dljax.learner import decay_mask
from dljax.models.transformers import llama
from dljax.tasks.language import language

CLAIMS = {
    "topics": {"expect": "validation/loss <= 1.27"},
    "tinystories": {
        "dataset": "text", "variant": "stories260k", "steps": 100_000, "batch": 128, "lr": 1e-3,
        "dropout": 0.05, "prompt": "Once upon a time", "expect": "validation/loss <= 1.30",
    },
}  # fmt: skip
SMALL = {"variant": "tiny", "batch": 8}


def experiment(
    *,
    dataset: Literal["topics", "shakespeare", "text"] = "topics",
    variant: str = "char-small",
    steps: int = 2000,
    batch: int = 16,
    lr: float = 2e-3,
    dropout: float = 0.0,
    prompt: str = "The ",
    temperature: float = 0.8,
    tokenizer: str = "",
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    if dataset == "text":
        size = models.build(llama, variant).vocabulary
        text = corpus.load(data, tokenizer, size=size, fake=fake)
    else:
        text = {"topics": topics, "shakespeare": shakespeare}[dataset].load(data, fake=fake)
    model = models.build(llama, variant, vocabulary=len(text.vocabulary), dropout=dropout)

    warmup = max(1, min(1000, steps // 20))
    rate = optax.warmup_cosine_decay_schedule(0.0, lr, warmup, max(steps, warmup + 1), lr / 10)
    adamw = optax.adamw(rate, b1=0.9, b2=0.99, weight_decay=0.1, mask=decay_mask)
    tx = optax.chain(optax.clip_by_global_norm(1.0), adamw)
    end = pieces.BEGIN if isinstance(text.vocabulary, pieces.Pieces) else None
    sample = Text(model, text.vocabulary, prompt, temperature, context=model.context, stop=end)
    held_out = EvalSet(Windows.apart(text.validation, model.context))
    train = Pipeline(Windows(text.train, model.context), batch, seed=seed)
    evals, looks = {"validation": held_out}, {"sample": sample}
    return Experiment(Phase(learn(language(model), tx), train, steps, evals, looks, 500), seed=seed)
