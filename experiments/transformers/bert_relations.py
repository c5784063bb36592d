"""BERT tells how two marked entities are related. Baldini Soares et al. 2019, Matching the Blanks,
arXiv:1906.03158, section 3.2.

    dljax train experiments/transformers/bert_relations.py
    dljax import experiments/transformers/bert_relations.py model.safetensors --claim semeval \\
        --data FOLDER --vocabulary vocab.txt --fresh head --out runs/start
    dljax train experiments/transformers/bert_relations.py --claim semeval \\
        --data FOLDER --vocabulary vocab.txt --init runs/start

"numbers": which of two numbers in words is less, by a tiny BERT that begins from nothing; the third one in
the sentence is not meant. "semeval": SemEval-2010 task 8, by an imported network (0.852; the
paper's BERT-large: 0.892, Zeng et al. 2014's CNN: 0.827).
"""

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.predictions import Score
from dljax.analysis.relations import RelationScores
from dljax.data.datasets import relations
from dljax.learner import decay_mask
from dljax.models.transformers import bert
from dljax.tasks.classification import classification
from dljax.tasks.supervised import texts

CLAIMS = {
    "numbers": {"expect": "relations/macro_f1 >= 0.8"},
    "semeval": {
        "variant": "minilm-l6", "lr": 1e-4, "epochs": 4,
        "expect": "relations/macro_f1 >= 0.80",
    },
}  # fmt: skip
SMALL = {"variant": "tiny", "batch": 8}


def experiment(
    *,
    data: str = "",
    vocabulary: str = "",
    variant: str = "bert-tiny",
    epochs: float = 10,
    batch: int = 32,
    lr: float = 1e-3,
    size: int = 2000,
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    found = relations.load(data, vocabulary, size=size, fake=fake)
    pieces = found.vocabulary
    sizes = {"vocabulary": len(pieces), "padding": pieces.special.padding}
    head = bert.Relations(len(found.names), found.markers)
    task = classification(models.build(bert, variant, **sizes, head=head), inputs=texts)

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
        looks={"relations": Score(task, test, RelationScores(found.names))},
        every=max(1, steps // 3),
    )
    return Experiment(phase, seed=seed)
