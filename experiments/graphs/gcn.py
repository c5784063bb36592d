"""GCN. Kipf & Welling 2017, arXiv:1609.02907, Table 2: 81.5 % on Cora, Planetoid split.

    dljax train experiments/graphs/gcn.py
    dljax sweep experiments/graphs/gcn.py --claim cora --data FOLDER

The paper's setting: Adam at 0.01, dropout 0.5, L2 of 5e-4 on the first layer, 200 epochs; the last
epoch's parameters are the result (the paper may stop earlier, on validation). "digits" is the
nearest-neighbor graph of scikit-learn's digits, of which ten per class are labeled. Ten seconds on 2
cores, or three minutes for the ten seeds on Cora.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.data.datasets import cora, digit_graph
from dljax.models.graphs import gcn
from dljax.tasks.nodes import nodes

CLAIMS = {
    "digits": {"expect": "test/accuracy >= 0.94"},
    "cora": {
        "dataset": "cora",
        "expect": "test/accuracy >= 0.808",
        "published": "81.5 %",
        "sweep": "--seed 0:10",
    },
}
SMALL = {"variant": "tiny"}


def experiment(
    *,
    dataset: Literal["digits", "cora"] = "digits",
    labelled: int = 10,
    variant: str = "",
    steps: int = 200,
    lr: float = 0.01,
    decay: float = 5e-4,
    dropout: float = 0.5,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    if dataset == "digits":
        (train, validation, test), classes = (
            digit_graph.load(labelled=labelled, data=data, fake=fake),
            10,
        )
    else:
        (train, validation, test), classes = cora.load(data, fake=fake), 7
    task = nodes(models.build(gcn, variant or dataset, classes=classes, dropout=dropout))

    def first_layer(params):
        return {name: name == "conv0" for name in params}

    tx = optax.chain(optax.add_decayed_weights(decay, first_layer), optax.adam(lr))
    return Experiment(
        Phase(
            learn(task, tx),
            Pipeline(train, 1),
            steps,
            evals={"validation": EvalSet(validation), "test": EvalSet(test)},
            every=50,
        ),
        seed=seed,
    )
