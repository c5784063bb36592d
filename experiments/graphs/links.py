"""Link prediction. Kipf & Welling 2016, Variational Graph Auto-Encoders, arXiv:1611.07308, in the plain form.

    dljax train experiments/graphs/links.py
    dljax train experiments/graphs/links.py --claim cora --data FOLDER

A GCN gives each node a vector, and two are linked by the sigmoid of their product. A tenth of the links is
tested and a twentieth judges the step that counts; neither is in the graph of messages. Each step draws as many
unlinked pairs as there are links. "digits" links scikit-learn's digits to their nearest. PyG's example,
whose setting this is, was measured at an area of 0.901 +- .008 on Cora; one seed here has 0.920.
"""

from typing import Literal

import jax.numpy as jnp
import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.links import ranked, score_histogram
from dljax.analysis.predictions import Score
from dljax.data.datasets import cora, digit_graph
from dljax.data.sources.links import redrawn, split
from dljax.learner import keep_best
from dljax.models.graphs import gcn
from dljax.tasks.links import links

CLAIMS = {
    "digits": {"expect": "links/auc >= 0.95"},
    "cora": {"dataset": "cora", "expect": "links/auc >= 0.89", "sweep": "--seed 0:4"},
}
SMALL = {"variant": "tiny"}


def experiment(
    *,
    dataset: Literal["digits", "cora", "citeseer"] = "digits",
    variant: str = "links",
    steps: int = 100,
    lr: float = 0.01,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    if dataset == "digits":
        whole = digit_graph.load(data=data, fake=fake)[0]
    else:
        whole = cora.load(data, dataset, fake=fake)[0]
    train, validation, test = split(whole, seed=seed)
    task = links(models.build(gcn, variant))
    given = {k: jnp.asarray(v) for k, v in validation.gather(jnp.zeros(1, int)).items()}
    judged = {name: given[name] for name in ("pairs", "label", "mask")}
    return Experiment(
        Phase(
            keep_best(learn(task, optax.adam(lr)), lambda batch: {**batch, **judged}),
            Pipeline(train, 1, seed, redrawn(train)),
            steps,
            evals={"validation": EvalSet(validation), "test": EvalSet(test)},
            looks={
                "links": Score(task, EvalSet(test), ranked),
                "chances": score_histogram(task, EvalSet(test)),
            },
            every=50,
        ),
        seed=seed,
    )
