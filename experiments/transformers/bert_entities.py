"""BERT finds names in a text, a tag for each word. Devlin et al. 2018, arXiv:1810.04805, section 5.3.

    dljax train experiments/transformers/bert_entities.py
    dljax import experiments/transformers/bert_entities.py model.safetensors --claim diseases \\
        --data FOLDER --vocabulary vocab.txt --fresh head --out runs/start
    dljax train experiments/transformers/bert_entities.py --claim diseases \\
        --data FOLDER --vocabulary vocab.txt --init runs/start

"help": words that stand in quotation marks in Python's help, without the marks, by a tiny BERT that begins
from nothing. The marks are put unevenly: a table of each word's usual tag has an F1 of 0.21, this 0.23.
"diseases": the NCBI disease corpus, by an imported network (0.811 after three epochs; the table: 0.48; a
BiLSTM-CRF with pre-trained vectors: 0.858). "entities/f1" is
over the entities of the test texts, as conlleval counts them.
"""

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.entities import EntityScores, Marked
from dljax.analysis.predictions import Score
from dljax.data.datasets import entities
from dljax.data.sources.tagged import NO_TAG
from dljax.learner import decay_mask
from dljax.models.transformers import bert
from dljax.tasks.classification import classification
from dljax.tasks.supervised import texts

CLAIMS = {
    "help": {"expect": "entities/f1 >= 0.2"},
    "diseases": {
        "variant": "minilm-l6", "length": 96, "lr": 1e-4, "epochs": 3,
        "expect": "entities/f1 >= 0.75",
    },
}  # fmt: skip
SMALL = {"variant": "tiny", "batch": 8, "length": 24}


def experiment(
    *,
    data: str = "",
    vocabulary: str = "",
    variant: str = "bert-tiny",
    epochs: float = 4,
    batch: int = 32,
    lr: float = 1e-3,
    length: int = 64,
    size: int = 2000,
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    found = entities.load(data, vocabulary, size=size, length=length, fake=fake)
    pieces = found.vocabulary
    sizes = {"vocabulary": len(pieces), "padding": pieces.special.padding}
    model = models.build(bert, variant, **sizes, head=bert.Tagger(len(found.names)))
    task = classification(model, inputs=texts, ignore=NO_TAG)

    train = Pipeline(found.train, batch, seed=seed)
    steps = train.steps(epochs)
    rate = optax.warmup_cosine_decay_schedule(0.0, lr, 1 + steps // 10, steps + 2)
    adamw = optax.adamw(rate, weight_decay=0.01, mask=decay_mask)
    test = EvalSet(found.test)
    phase = Phase(
        learn(task, optax.chain(optax.clip_by_global_norm(1.0), adamw)),
        train,
        steps,
        evals={"validation": EvalSet(found.validation), "test": test},
        looks={
            "entities": Score(task, test, EntityScores(found.names)),
            "marked": Marked(task, test, pieces, found.names),
        },
        every=max(1, steps // 3),
    )
    return Experiment(phase, seed=seed)
