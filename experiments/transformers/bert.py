"""BERT learns to fill gaps: masked-language pre-training. Devlin et al. 2018, arXiv:1810.04805, section 3.1.

    dljax train experiments/transformers/bert.py
    dljax train experiments/transformers/bert.py --claim base --data FILE --vocabulary vocab.txt
    dljax import experiments/transformers/bert.py model.safetensors --variant minilm-l6 \\
        --vocabulary vocab.txt --fresh head

A tiny BERT (2 layers of 128) on stretches of 62 word pieces of Python's own help, or of any text file;
masks are drawn anew each time. It comes to 3.39 nats, where the pieces' frequencies alone give 4.93
("unigram/loss").
"base" has the paper's sizes, rate and steps on one text at a time; its 128 tokens throughout, cosine and clipping are not
the paper's. Liu et al. 2019 (Table 3) have a perplexity of 3.99 for such a net on books and Wikipedia.
"""

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.fill import Fill
from dljax.data.datasets import prose
from dljax.data.masking import masked
from dljax.learner import decay_mask
from dljax.models.transformers import bert
from dljax.tasks.language import language

CLAIMS = {
    "topics": {"expect": "validation/loss <= 3.6"},
    "base": {
        "variant": "bert-base", "length": 128, "batch": 256, "lr": 1e-4, "steps": 1_000_000,
        "warmup": 10_000, "size": 30_522, "expect": "validation/loss <= 1.40",
    },
}  # fmt: skip
SMALL = {"variant": "tiny", "batch": 8, "length": 16, "size": 60}


def experiment(
    *,
    variant: str = "bert-tiny",
    data: str = "",
    vocabulary: str = "",
    size: int = 2000,
    length: int = 64,
    steps: int = 1500,
    batch: int = 32,
    lr: float = 2e-3,
    warmup: int = 150,
    prompt: str = "the [MASK] statement is used to [MASK] a module .",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    text = prose.load(data, vocabulary, size=size, fake=fake)
    pieces = text.vocabulary
    sizes = {"vocabulary": len(pieces), "padding": pieces.special.padding}
    model = models.build(bert, variant, **sizes, head=bert.MaskedLM())

    rate = optax.warmup_cosine_decay_schedule(0.0, lr, warmup, max(steps, warmup + 1))
    adamw = optax.adamw(rate, weight_decay=0.01, mask=decay_mask)
    hide = masked(len(pieces), pieces.special.mask, pieces.special)
    train = prose.Stretches(text.train, pieces, length, stride=1)
    held_out = prose.Stretches(text.validation, pieces, length)
    expected = prose.unigram(text)
    looks = {
        "filled": Fill(model, pieces, (prompt,)),
        "unigram": lambda variables, key: {"loss": expected},
    }
    phase = Phase(
        learn(language(model), optax.chain(optax.clip_by_global_norm(1.0), adamw)),
        Pipeline(train, batch, seed=seed, transform=hide),
        steps,
        evals={"validation": EvalSet(held_out, hide)},
        looks=looks,
        every=max(1, steps // 3),
    )
    return Experiment(phase, seed=seed)
