"""Sentence CNN. Kim 2014, arXiv:1408.5882, Table 2: CNN-rand, TREC 91.2 %, SST-2 82.7 %.

    dljax train experiments/hybrids/text_cnn.py
    dljax train experiments/hybrids/text_cnn.py --claim trec --data FOLDER

Which subpackage of scipy a sentence of its documentation is from; types of questions (TREC); the sentiment
of a review (SST-2). The paper's SST-2 is trained on the treebank's phrases too, these files have its sentences
alone. Adam, where the paper has Adadelta and bounds the norms of the head's weights.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.errors_by_class import Confusion
from dljax.analysis.sentences import Mistakes
from dljax.data import sentence_sets
from dljax.models.hybrids import text_cnn
from dljax.tasks.sentences import sentence_classification

CLAIMS = {
    "docstrings": {"expect": "test/accuracy >= 0.80"},
    "trec": {
        "dataset": "trec",
        "expect": "test/accuracy >= 0.90",
        "published": "91.2 % (CNN-rand)",
    },
    "sst2": {
        "dataset": "sst2",
        "expect": "test/accuracy >= 0.79",
    },
}
SMALL = {"variant": "tiny", "batch": 8, "lr": 1e-2}


def experiment(
    *,
    dataset: Literal["docstrings", "trec", "sst2"] = "docstrings",
    variant: str = "rand",
    epochs: float = 10,
    batch: int = 50,
    lr: float = 1e-3,
    dropout: float = 0.5,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    found = sentence_sets.load(dataset, data, fake=fake)
    names = found.train.names
    sizes = {"vocabulary": len(found.vocabulary), "classes": len(names), "dropout": dropout}
    task = sentence_classification(models.build(text_cnn, variant, **sizes))
    pipeline = Pipeline(found.train, batch, seed=seed)
    test = EvalSet(found.test)
    return Experiment(
        Phase(
            learn(task, optax.adam(optax.cosine_decay_schedule(lr, pipeline.steps(epochs)))),
            pipeline,
            pipeline.steps(epochs),
            evals={"validation": EvalSet(found.validation), "test": test},
            looks={
                "confusion": Confusion(task, test, names),
                "mistakes": Mistakes(task, test, found.vocabulary, names),
            },
            every=pipeline.steps(epochs / 4),
        ),
        seed=seed,
    )
