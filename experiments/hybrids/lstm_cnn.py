"""Multi-channel LSTM-CNN on sentences. Vo et al. 2017, doi:10.1109/KSE.2017.8119429.

    dljax train experiments/hybrids/lstm_cnn.py
    dljax train experiments/hybrids/lstm_cnn.py --claim trec --data FOLDER

Which subpackage of scipy a sentence of its documentation is from; types of questions (TREC); the sentiment
of a review (SST-2), where the paper has Vietnamese reviews. Adamax, as in the authors' program.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.errors_by_class import Confusion
from dljax.analysis.sentences import Mistakes
from dljax.data import text_sets
from dljax.data.sources.labeled_texts import in_words
from dljax.models.hybrids import lstm_cnn
from dljax.tasks.classification import classification
from dljax.tasks.supervised import texts

CLAIMS = {
    "docstrings": {"expect": "test/accuracy >= 0.66"},
    "trec": {"dataset": "trec", "expect": "test/accuracy >= 0.87"},
    "sst2": {"dataset": "sst2", "expect": "test/accuracy >= 0.80"},
}
SMALL = {"variant": "tiny", "batch": 8, "lr": 1e-2}


def experiment(
    *,
    dataset: Literal["docstrings", "trec", "sst2"] = "docstrings",
    variant: str = "vs",
    epochs: float = 6,
    batch: int = 50,
    lr: float = 2e-3,
    dropout: float = 0.2,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    found = in_words(text_sets.load(dataset, data, fake=fake))
    names = found.names
    sizes = {"vocabulary": len(found.vocabulary), "classes": len(names), "dropout": dropout}
    task = classification(models.build(lstm_cnn, variant, **sizes), inputs=texts)
    pipeline = Pipeline(found.train, batch, seed=seed)
    test = EvalSet(found.test)
    return Experiment(
        Phase(
            learn(task, optax.adamax(optax.cosine_decay_schedule(lr, pipeline.steps(epochs)))),
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
