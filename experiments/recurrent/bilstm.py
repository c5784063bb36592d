"""Bidirectional LSTM on sentences. Tai et al. 2015, arXiv:1503.00075, Table 2: SST-2 87.5 %.

    dljax train experiments/recurrent/bilstm.py
    dljax train experiments/recurrent/bilstm.py --claim trec --data FOLDER

Which subpackage of scipy a sentence of its documentation is from; types of questions (TREC); the sentiment
of a review (SST-2). The paper begins at vectors of a large corpus and is trained on the treebank's phrases too, which the
claims here are not.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.errors_by_class import Confusion
from dljax.analysis.sentences import Mistakes
from dljax.data import text_sets
from dljax.data.sources.labeled_texts import in_words
from dljax.models.recurrent import bilstm
from dljax.tasks.classification import classification
from dljax.tasks.supervised import texts

CLAIMS = {
    "docstrings": {"expect": "test/accuracy >= 0.67"},
    "trec": {"dataset": "trec", "expect": "test/accuracy >= 0.87"},
    "sst2": {"dataset": "sst2", "expect": "test/accuracy >= 0.80"},
}
SMALL = {"variant": "tiny", "batch": 8, "lr": 1e-2}


def experiment(
    *,
    dataset: Literal["docstrings", "trec", "sst2"] = "docstrings",
    variant: str = "168",
    epochs: float = 6,
    batch: int = 50,
    lr: float = 1e-3,
    dropout: float = 0.5,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    found = in_words(text_sets.load(dataset, data, fake=fake))
    names = found.names
    sizes = {"vocabulary": len(found.vocabulary), "classes": len(names), "dropout": dropout}
    task = classification(models.build(bilstm, variant, **sizes), inputs=texts)
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
