"""The Transformer sums texts up. Vaswani et al. 2017, arXiv:1706.03762; the task: Rush et al. 2015,
arXiv:1509.00685.

    dljax train experiments/transformers/transformer_summaries.py
    dljax train experiments/transformers/transformer_summaries.py --claim gigaword --data FOLDER

The first sentence of a function's documentation from its name and the rest, of numpy, scipy and jax; what is in
the validation set is from other files. "first/rougeL" is the score of the text's own first sentence. "gigaword" has
headlines of news (train.text, train.summary ..., a line each); the paper's ABS has 29.55 there.
"""

from functools import partial
from typing import Annotated, Literal

import optax

from dljax import EvalSet, Experiment, Phase, learn, models
from dljax.analysis.rouge import rouge
from dljax.analysis.translations import Attended, Scored, Translator, Written
from dljax.data.datasets import summaries
from dljax.data.sources.pairs import Bucketed
from dljax.models.transformers import transformer
from dljax.tasks.translation import translation

CLAIMS = {
    "documentation": {"dropout": 0.2, "expect": "score/rougeL >= 20"},
    "gigaword": {
        "dataset": "gigaword", "variant": "base", "epochs": 10, "batch": 256, "warmup": 4000, "beams": 4,
        "expect": "score/rouge1 >= 29.5", "published": "ROUGE-1 29.55 (ABS)",
    },
}  # fmt: skip
SMALL = {"variant": "tiny", "batch": 16, "warmup": 20}
WIDTHS = (30, 40)


def experiment(
    *,
    dataset: Literal["documentation", "gigaword"] = "documentation",
    variant: str = "mini",
    epochs: float = 15,
    batch: int = 64,
    warmup: Annotated[int, ">= 1"] = 300,
    dropout: float | None = None,
    beams: Annotated[int, ">= 1"] = 1,
    longest: Annotated[int, ">= 3"] = 50,
    prompt: str = "",
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, validation = summaries.load(dataset, data, longest=longest, fake=fake)
    model = models.build(transformer, variant, vocabulary=len(train.source), dropout=dropout)
    rate = partial(transformer.learning_rate, features=model.features, warmup=warmup)
    tx = optax.adam(rate, b1=0.9, b2=0.98, eps=1e-9)
    pairs = Bucketed(train, batch, seed=seed, widths=() if fake else WIDTHS)
    translator = Translator.of(model, validation, beams=beams)
    looks = {
        "score": Scored(translator, validation, rouge),
        "first": Scored(
            lambda _, texts: [*map(summaries.first_sentence, texts)], validation, rouge
        ),
        "written": Written(translator, validation, prompt=prompt),
        "attention": Attended(translator, validation, n=2),
    }
    learner = learn(translation(model, smoothing=0.1), tx)
    evals, steps = {"validation": EvalSet(validation)}, pairs.steps(epochs)
    return Experiment(Phase(learner, pairs, steps, evals, looks, max(1, steps // 3)), seed=seed)
