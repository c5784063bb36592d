"""BERT answers questions with a span of a text. Devlin et al. 2018, arXiv:1810.04805, section 4.2.

    dljax train experiments/transformers/bert_answers.py
    dljax import experiments/transformers/bert_answers.py model.safetensors --claim xquad \\
        --data xquad.en.json --vocabulary vocab.txt --fresh head --out runs/start
    dljax train experiments/transformers/bert_answers.py --claim xquad \\
        --data xquad.en.json --vocabulary vocab.txt --init runs/start

"gifts": who gave what, how many, to whom, where and when, by a tiny BERT that begins from nothing. "xquad": the
English part of XQuAD, of whose 48 articles every fifth is the test: about 940 questions to learn from, where
the paper's "squad" has 87,599. "answers/exact" and "answers/f1" are SQuAD's.
"""

from typing import Annotated, Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.answers import Answered, AnswerScores
from dljax.analysis.predictions import Score
from dljax.data.datasets import answers
from dljax.learner import decay_mask
from dljax.models.transformers import bert
from dljax.tasks.classification import classification
from dljax.tasks.supervised import texts

CLAIMS = {
    "gifts": {"expect": "answers/exact >= 0.95"},
    "xquad": {
        "dataset": "xquad", "variant": "minilm-l6", "lr": 1e-4, "epochs": 6, "length": 384, "stride": 128, "batch": 16,
        "expect": "answers/f1 >= 0.2",
    },
    "squad": {
        "dataset": "squad", "variant": "bert-base", "lr": 5e-5, "epochs": 3, "length": 384, "stride": 128,
        "expect": "answers/f1 >= 0.88", "published": "F1 88.5, exact 80.8",
    },
}  # fmt: skip
SMALL = {"variant": "tiny", "batch": 8, "length": 24, "stride": 8}


def experiment(
    *,
    dataset: Literal["gifts", "xquad", "squad"] = "gifts",
    data: str = "",
    vocabulary: str = "",
    variant: str = "bert-tiny",
    epochs: float = 5,
    batch: int = 32,
    lr: float = 1e-3,
    length: Annotated[int, ">= 3"] = 32,
    stride: Annotated[int, ">= 1"] = 12,
    size: int = 2000,
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    options = {"size": size, "length": length, "stride": stride, "fake": fake}
    found = answers.load(dataset, data, vocabulary, **options)
    pieces = found.vocabulary
    sizes = {"vocabulary": len(pieces), "padding": pieces.special.padding}
    # Each row has two labels, of the places in it: where the answer begins and where it ends.
    task = classification(models.build(bert, variant, **sizes, head=bert.Spans()), inputs=texts)

    train = Pipeline(found.train.arrays, batch, seed=seed)
    steps = train.steps(epochs)
    rate = optax.warmup_cosine_decay_schedule(0.0, lr, 1 + steps // 10, steps + 2)
    adamw = optax.adamw(rate, weight_decay=0.01, mask=decay_mask)
    test = EvalSet(found.test.arrays)
    phase = Phase(
        learn(task, optax.chain(optax.clip_by_global_norm(1.0), adamw)),
        train,
        steps,
        evals={"test": test},
        looks={
            "answers": Score(task, test, AnswerScores(found.test, found.asked)),
            "answered": Answered(task, found.test, found.asked),
        },
        every=max(1, steps // 3),
    )
    return Experiment(phase, seed=seed)
