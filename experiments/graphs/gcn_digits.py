"""GCN (Kipf & Welling 2017, arXiv:1609.02907) on the nearest-neighbour graph of scikit-learn's digits,
of which ten per class are labelled.

    dljax train experiments/graphs/gcn_digits.py

Expected: 95 % of the other nodes after 200 epochs, 10 seconds on 2 cores.
"""

import optax

from dljax import Experiment, at_least, models
from dljax.data import EvalSet, Pipeline
from dljax.data.datasets import digit_graph
from dljax.learner import make_learner, many_seeds, players
from dljax.models.graphs import gcn
from dljax.tasks.nodes import nodes


def experiment(
    *,
    labelled: int = 10,
    variant: str = "digits",
    steps: int = 200,
    lr: float = 0.01,
    decay: float = 5e-4,
    dropout: float = 0.5,
    seeds: int = 1,
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, validation, test = digit_graph.load(labelled=labelled, fake=fake)
    task = nodes(models.build(gcn, variant, classes=10, dropout=dropout))

    def first_layer(params):
        return {name: name == "conv0" for name in params}

    tx = optax.chain(optax.add_decayed_weights(decay, first_layer), optax.adam(lr))
    learner = make_learner(task.init, players(task.losses, tx), evaluate=task.evaluate)
    return Experiment(
        learner=many_seeds(learner, seeds) if seeds > 1 else learner,
        data=Pipeline(train, 1, seed=seed, shuffle=False, divisible=False),
        steps=steps,
        evals={
            "validation": EvalSet(validation, 1, divisible=False),
            "test": EvalSet(test, 1, divisible=False),
        },
        eval_every=50,
        expect={"test/accuracy": at_least(0.94)},
        seed=seed,
    )
