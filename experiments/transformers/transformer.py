"""Translation by the Transformer. Vaswani et al. 2017, Attention Is All You Need, arXiv:1706.03762.

    dljax train experiments/transformers/transformer.py
    dljax train experiments/transformers/transformer.py --claim multi30k --data FOLDER

"numbers" are numbers in English and German words, which install with dljax; "multi30k" English captions and
their German translations; "wmt14" the paper's base model on files of text in byte pairs. Adam (beta2 0.98,
epsilon 1e-9) at the paper's schedule, label smoothing 0.1, one vocabulary for both languages; a beam of
``--beams`` with the length penalty of 0.6.

Of the numbers 0.945 were exactly right after two epochs and 0.985 after four (two minutes of one core, seed
0). In buckets of length 13 % of Multi30k's places are padding, without them 70 %. The paper's base model has 27.3 BLEU
on newstest2014, cased; "score" here is of the validation text, in lower case.
"""

from functools import partial
from typing import Annotated, Literal

import optax

from dljax import EvalSet, Experiment, Phase, learn, models
from dljax.analysis.edits import bleu, exact
from dljax.analysis.translations import Attended, Scored, Translator, Written
from dljax.data.datasets import multi30k, numbers, wmt14
from dljax.data.sources.pairs import Bucketed
from dljax.models.transformers import transformer
from dljax.tasks.translation import translation

CLAIMS = {
    "numbers": {"expect": "score/exact >= 0.97"},
    "multi30k": {
        "dataset": "multi30k", "variant": "small", "epochs": 20, "warmup": 2000, "dropout": 0.2,
        "beams": 4, "expect": "score/bleu >= 30",
    },
    "wmt14": {
        "dataset": "wmt14", "variant": "base", "epochs": 20, "batch": 800, "warmup": 4000, "beams": 4,
        "expect": "score/bleu >= 25",
    },
}  # fmt: skip
SMALL = {"variant": "tiny", "batch": 16, "warmup": 20}
WIDTHS = (10, 12, 14, 17, 20, 28, 45, 64)


def experiment(
    *,
    dataset: Literal["numbers", "multi30k", "wmt14"] = "numbers",
    variant: str = "mini",
    epochs: float = 5,
    batch: int = 64,
    warmup: Annotated[int, ">= 1"] = 500,
    dropout: float | None = None,
    beams: Annotated[int, ">= 1"] = 1,
    prompt: str = "",
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    home = {"numbers": numbers, "multi30k": multi30k, "wmt14": wmt14}[dataset]
    train, validation = home.load(data, fake=fake).joint()
    model = models.build(transformer, variant, vocabulary=len(train.source), dropout=dropout)
    rate = partial(transformer.learning_rate, features=model.features, warmup=warmup)
    tx = optax.adam(rate, b1=0.9, b2=0.98, eps=1e-9)
    pairs = Bucketed(train, batch, seed=seed, widths=() if fake else WIDTHS)
    translator = Translator.of(model, validation, beams=beams)
    looks = {
        "score": Scored(translator, validation, exact if dataset == "numbers" else bleu),
        "written": Written(translator, validation, prompt=prompt),
        "attention": Attended(translator, validation),
    }
    learner = learn(translation(model, smoothing=0.1), tx)
    evals = {"validation": EvalSet(validation)}
    steps = pairs.steps(epochs)
    return Experiment(Phase(learner, pairs, steps, evals, looks, pairs.steps(2)), seed=seed)
