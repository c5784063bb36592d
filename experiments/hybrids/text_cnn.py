"""Sentence CNN. Kim 2014, arXiv:1408.5882, Table 2: CNN-rand, TREC 91.2 %, SST-2 82.7 %.

    dljax train experiments/hybrids/text_cnn.py
    dljax train experiments/hybrids/text_cnn.py --claim trec --data FOLDER
    dljax train experiments/hybrids/text_cnn.py --claim static --data FOLDER --vectors FILE

Which subpackage of scipy a sentence of its documentation is from; types of questions (TREC); the sentiment
of a review (SST-2). The paper's SST-2 is trained on the treebank's phrases too, these files have its sentences
alone. Adam, where the paper has Adadelta and bounds the norms of the head's weights.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.errors_by_class import Confusion
from dljax.analysis.sentences import Mistakes
from dljax.data import text_sets
from dljax.data.sources.labeled_texts import in_words
from dljax.data.sources.vectors import read_vectors
from dljax.errors import UserError
from dljax.experiment import go_on
from dljax.models.hybrids import text_cnn
from dljax.tasks.classification import classification
from dljax.tasks.supervised import texts
from dljax.weights.start import AtVectors

CLAIMS = {
    "docstrings": {"expect": "test/accuracy >= 0.72"},
    "trec": {
        "dataset": "trec", "expect": "test/accuracy >= 0.90", "published": "91.2 % (CNN-rand)",
    },
    "sst2": {"dataset": "sst2", "expect": "test/accuracy >= 0.79"},
    "static": {
        "dataset": "trec", "variant": "static", "expect": "test/accuracy >= 0.90",
        "published": "92.8 % (CNN-static)",
    },
}  # fmt: skip
SMALL = {"variant": "tiny", "batch": 8, "lr": 1e-2}


def experiment(
    *,
    dataset: Literal["docstrings", "trec", "sst2"] = "docstrings",
    variant: str = "rand",
    epochs: float = 10,
    batch: int = 50,
    lr: float = 1e-3,
    dropout: float = 0.5,
    vectors: str = "",
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    if bool(vectors) == (variant == "rand") and not fake and variant != "tiny":
        raise UserError(
            f"--variant {variant} {'is without' if vectors else 'needs'} --vectors FILE"
        )
    # With vectors a word that occurs once has one; else it teaches what an unknown word is like.
    found = in_words(text_sets.load(dataset, data, fake=fake), least=1 if vectors else 2)
    names = found.names
    sizes = {"vocabulary": len(found.vocabulary), "classes": len(names), "dropout": dropout}
    model = models.build(text_cnn, variant, **sizes)
    task = classification(model, inputs=texts)
    start = go_on
    if vectors:
        start = AtVectors(*read_vectors(vectors, found.vocabulary, model.features))
    train, test = Pipeline(found.train, batch, seed=seed), EvalSet(found.test)
    steps = train.steps(epochs)
    looks = {
        "confusion": Confusion(task, test, names),
        "mistakes": Mistakes(task, test, found.vocabulary, names),
    }
    evals = {"validation": EvalSet(found.validation), "test": test}
    learner = learn(task, optax.adam(optax.cosine_decay_schedule(lr, steps)))
    every = max(1, steps // 4)
    return Experiment(Phase(learner, train, steps, evals, looks, every, start=start), seed=seed)
