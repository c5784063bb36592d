"""A GPT sums texts up that it is given as a prompt. Radford et al. 2018 (GPT-1), section 3.3: a task's input as one
sequence, of which what follows the delimiter is learned.

    dljax train experiments/transformers/gpt_summaries.py
    dljax train experiments/transformers/gpt_summaries.py --claim gigaword --data FOLDER

The set and the scores are those of ``transformer_summaries.py``. The network begins from nothing in both claims: its
vocabulary is the set's own words.
"""

from typing import Annotated, Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.rouge import rouge
from dljax.analysis.translations import Prompter, Scored, Written
from dljax.data.datasets import summaries
from dljax.data.sources.pairs import Prompted
from dljax.learner import decay_mask
from dljax.models.transformers import gpt
from dljax.tasks.language import language

CLAIMS = {
    "documentation": {"dropout": 0.2, "expect": "score/rougeL >= 20"},
    "gigaword": {
        "dataset": "gigaword", "variant": "gpt2", "epochs": 3, "batch": 64, "lr": 3e-4, "longest": 128,
        "expect": "score/rouge1 >= 29.5", "published": "ROUGE-1 29.55 (ABS)",
    },
}  # fmt: skip
SMALL = {"variant": "tiny", "batch": 8, "longest": 8}


def experiment(
    *,
    dataset: Literal["documentation", "gigaword"] = "documentation",
    variant: str = "char-small",
    epochs: float = 15,
    batch: int = 32,
    lr: float = 1e-3,
    dropout: float | None = None,
    longest: Annotated[int, ">= 3"] = 50,
    prompt: str = "",
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, validation = summaries.load(dataset, data, longest=longest, fake=fake)
    sizes = {"vocabulary": len(train.source), "context": 2 * train.width, "dropout": dropout}
    model = models.build(gpt, variant, **sizes)

    pairs = Pipeline(Prompted(train), batch, seed=seed)
    steps = pairs.steps(epochs)
    rate = optax.warmup_cosine_decay_schedule(0.0, lr, 1 + steps // 20, steps + 2, lr / 10)
    adamw = optax.adamw(rate, b1=0.9, b2=0.99, weight_decay=0.1, mask=decay_mask)
    prompter = Prompter.of(model, validation)
    phase = Phase(
        learn(language(model), optax.chain(optax.clip_by_global_norm(1.0), adamw)),
        pairs,
        steps,
        evals={"validation": EvalSet(Prompted(validation))},
        looks={
            "score": Scored(prompter, validation, rouge),
            "written": Written(prompter, validation, prompt=prompt),
        },
        every=max(1, steps // 3),
    )
    return Experiment(phase, seed=seed)
