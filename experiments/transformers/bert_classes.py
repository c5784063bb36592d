"""BERT tells the class of a text, or of a pair of texts. Devlin et al. 2018, arXiv:1810.04805, section 4.1.

    dljax train experiments/transformers/bert_classes.py
    dljax import experiments/transformers/bert_classes.py model.safetensors --claim trec \\
        --data FOLDER --vocabulary vocab.txt --fresh head/output --out runs/start
    dljax train experiments/transformers/bert_classes.py --claim trec \\
        --data FOLDER --vocabulary vocab.txt --init runs/start
    dljax train experiments/transformers/bert_classes.py --claim trec-scratch --data FOLDER

"docstrings": which subpackage of scipy a sentence of its documentation is from, by a tiny BERT that begins from
nothing; TREC's types of questions by an imported network (0.942), and by a small one from nothing; SST-2 (0.886);
"follows": does the second sentence of Python's help follow the first? From nothing no net learned that (0.51).
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.data import text_sets
from dljax.data.sources.labeled_texts import in_pieces
from dljax.learner import decay_mask
from dljax.models.transformers import bert
from dljax.tasks.classification import classification
from dljax.tasks.supervised import texts

CLAIMS = {
    "docstrings": {"expect": "test/accuracy >= 0.6"},
    "follows": {
        "dataset": "follows", "variant": "minilm-l6", "lr": 1e-4, "epochs": 2,
        "expect": "test/accuracy >= 0.75",
    },
    "trec": {
        "dataset": "trec", "variant": "minilm-l6", "lr": 2e-4, "epochs": 0.6, "length": 24,
        "expect": "test/accuracy >= 0.93",
    },
    "trec-scratch": {
        "dataset": "trec", "epochs": 4, "length": 24, "expect": "test/accuracy >= 0.79",
    },
    "sst2": {
        "dataset": "sst2", "variant": "minilm-l6", "lr": 1e-4, "epochs": 3,
        "expect": "test/accuracy >= 0.88",
    },
}  # fmt: skip
SMALL = {"variant": "tiny", "batch": 8, "length": 16, "lr": 1e-2}


def experiment(
    *,
    dataset: Literal["docstrings", "follows", "trec", "sst2"] = "docstrings",
    data: str = "",
    vocabulary: str = "",
    variant: str = "bert-tiny",
    epochs: float = 10,
    batch: int = 32,
    lr: float = 5e-4,
    length: int = 64,
    size: int = 2000,
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    labeled = text_sets.load(dataset, data, fake=fake)
    found = in_pieces(labeled, vocabulary, size=size, length=length)
    pieces = found.vocabulary
    sizes = {"vocabulary": len(pieces), "padding": pieces.special.padding}
    head = bert.Classifier(len(found.names))
    task = classification(models.build(bert, variant, **sizes, head=head), inputs=texts)

    train = Pipeline(found.train, batch, seed=seed)
    steps = train.steps(epochs)
    rate = optax.warmup_cosine_decay_schedule(0.0, lr, 1 + steps // 10, steps + 2)
    adamw = optax.adamw(rate, weight_decay=0.01, mask=decay_mask)
    phase = Phase(
        learn(task, optax.chain(optax.clip_by_global_norm(1.0), adamw)),
        train,
        steps,
        evals={"validation": EvalSet(found.validation), "test": EvalSet(found.test)},
        every=max(1, steps // 3),
    )
    return Experiment(phase, seed=seed)
