"""GraphSAGE. Hamilton et al. 2017, arXiv:1706.02216, on citation graphs as Kipf & Welling 2017 split them.

    dljax train experiments/graphs/graphsage.py
    dljax train experiments/graphs/graphsage.py --claim cora --data FOLDER
    dljax train experiments/graphs/graphsage.py --claim cora-sampled --data FOLDER

"digits" is the nearest-neighbor graph of scikit-learn's digits, of which ten per class are labeled. With
``neighbors`` each step draws at most so many for each node and layer; evaluation takes all of them. The step
of the lowest validation loss counts. DGL publishes 83.3 % on Cora for other aggregators than the mean; PyG's
layers in this setting were measured at 79.5 +- 1.0 %. Here one seed has 80.4 %, and 80.2 % with five neighbors.
"""

from typing import Literal

import jax.numpy as jnp
import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.data.datasets import cora, digit_graph
from dljax.data.pipeline import unchanged
from dljax.data.sources.neighbors import sampled
from dljax.learner import keep_best
from dljax.models.graphs import graphsage
from dljax.tasks.nodes import nodes

CLAIMS = {
    "digits": {"expect": "test/accuracy >= 0.92"},
    "digits-sampled": {"neighbors": 3, "expect": "test/accuracy >= 0.92"},
    "cora": {"dataset": "cora", "expect": "test/accuracy >= 0.785", "sweep": "--seed 0:4"},
    "cora-sampled": {
        "dataset": "cora",
        "neighbors": 5,
        "expect": "test/accuracy >= 0.785",
        "sweep": "--seed 0:4",
    },
}
SMALL = {"variant": "tiny", "neighbors": 3}


def experiment(
    *,
    dataset: Literal["digits", "cora", "citeseer"] = "digits",
    neighbors: int = 0,
    variant: str = "",
    steps: int = 150,
    lr: float = 0.01,
    decay: float = 5e-4,
    dropout: float = 0.5,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    if dataset == "digits":
        (train, validation, test), classes = digit_graph.load(data=data, fake=fake), 10
    else:
        train, validation, test = cora.load(data, dataset, fake=fake)
        classes = cora.SHAPES[dataset][2]
    model = models.build(graphsage, variant or dataset, classes=classes, dropout=dropout)
    tx = optax.chain(optax.add_decayed_weights(decay), optax.adam(lr))
    edges = {name: jnp.asarray(getattr(validation, name)) for name in ("senders", "receivers")}
    judged = {**edges, "mask": jnp.asarray(validation.mask)}
    return Experiment(
        Phase(
            keep_best(learn(nodes(model), tx), lambda batch: {**batch, **judged}),
            Pipeline(train, 1, seed, sampled(neighbors, 2) if neighbors else unchanged),
            steps,
            evals={"validation": EvalSet(validation), "test": EvalSet(test)},
            every=50,
        ),
        seed=seed,
    )
