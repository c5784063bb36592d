"""Cross-validation: a model for each fold of a set of graphs, all of them in one program."""

from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from dljax import axes
from dljax.tasks.supervised import MODEL
from dljax.types import Array, Aux, Batch, Mean, Measures, Scalar, Task

CURVE = "curve"  # its collection, beside the models' own


def without(batch: Batch, keep: Array) -> Batch:
    """Packs in which graphs that are not kept are padding, their nodes too.

    Args:
        batch: ``label`` int32 [b, g, 2], class and fold; becomes the class, [b, g].
        keep: bool [b, g].
    """
    at_nodes = jnp.take_along_axis(keep, batch["graph_id"], 1)
    return {
        **batch,
        "label": batch["label"][..., 0],
        "node_mask": batch["node_mask"] * at_nodes,
        "graph_mask": batch["graph_mask"] * keep,
    }


def cross_validated(
    task: Task, whole: Batch, folds: int, every: int, most: int, *, nested: bool = False
) -> Task:
    """``folds`` models of a task, of which model i learns from all graphs but those of fold i.

    After ``every`` steps each is measured on its fold, ``most`` times at most. The measures stay among the
    collections, in "curve": ``accuracy`` and ``choice`` (-inf before) float32 [most, folds], ``steps`` int32. Parameters
    and the models' own collections have a leading axis of folds; the loss is the folds' sum, so that a
    model moves as it would alone.

    Args:
        task: of one model of packs; its one player is "model".
        whole: all graphs in packs, on the host, with ``label`` (class, fold).
        folds: number of folds and models.
        every: steps between measures.
        most: number of measures kept.
        nested: fold i + 1 is held out from model i as well, to choose by: ``choice`` is minus the loss on
            it. Otherwise ``choice`` is the accuracy itself.

    Batch: packs whose ``label`` are (class, fold). Evaluation: the task's, of each graph by the model that
    did not learn from it.
    """
    numbers = jnp.arange(folds)

    def part(batch: Batch, i: Array, which: Literal["train", "validation", "test"]) -> Batch:
        fold, inner = batch["label"][..., 1], (i + 1) % folds
        if which == "train":
            return without(batch, (fold != i) & ((fold != inner) | (not nested)))
        return without(batch, fold == (i if which == "test" else inner))

    def init(key, batch):
        one = {**batch, "label": batch["label"][..., 0]}
        params, extra = jax.vmap(lambda key: task.init(key, one))(jax.random.split(key, folds))
        seen = jnp.zeros((most, folds))
        curve = {"accuracy": seen, "choice": seen - jnp.inf, "steps": jnp.zeros((), jnp.int32)}
        return params, {MODEL: extra[MODEL], CURVE: curve}

    def measures(params: Any, extra: Any, batch: Batch, which: Any, key: Any) -> Measures:
        def one(params, own, i):
            return task.evaluate(params, {MODEL: own}, part(batch, i, which), key)

        return jax.vmap(one)(params, extra[MODEL], numbers)

    def followed(params, extra, key) -> dict[str, Array]:
        """The curve at this step, before it is taken."""
        curve = extra[CURVE]
        steps = curve["steps"]
        everything = {name: jnp.asarray(x) for name, x in whole.items()}

        def measure(curve):
            at = steps // every - 1
            test = measures(params, extra, everything, "test", key)["accuracy"].value
            choice = test
            if nested:
                choice = -measures(params, extra, everything, "validation", key)["loss"].value
            new = {"accuracy": test, "choice": choice}
            return {
                n: curve[n].at[at].set(x.astype(jnp.float32), mode="drop") for n, x in new.items()
            }

        seen = {name: curve[name] for name in ("accuracy", "choice")}
        now = (steps > 0) & (steps % every == 0)
        return {**lax.cond(now, measure, lambda seen: seen, seen), "steps": steps + 1}

    def loss(params, extra, batch, key) -> tuple[Scalar, Aux]:
        def one(params, own, i, key):
            value, aux = task.losses[MODEL](params, {MODEL: own}, part(batch, i, "train"), key)
            share: Any = value
            # Over the devices' mean count: the mean of their losses is then the whole batch's.
            return share.total / jnp.maximum(axes.mean(share.count), 1e-30), aux

        keys = jax.random.split(key, folds)
        values, aux = jax.vmap(one)(params, extra[MODEL], numbers, keys)
        metrics = {n: Mean(jnp.sum(x.total), jnp.sum(x.count)) for n, x in aux.metrics.items()}
        fixed = jax.tree.map(lax.stop_gradient, params)
        return jnp.sum(values), Aux(
            metrics, {MODEL: aux.extra[MODEL], CURVE: followed(fixed, extra, key)}
        )

    def evaluate(params, extra, batch, key) -> Measures:
        of_folds = measures(params, extra, batch, "test", key)
        return {n: Mean(jnp.sum(x.total), jnp.sum(x.count)) for n, x in of_folds.items()}

    return Task(init, {MODEL: loss}, evaluate)


def chosen(accuracy: np.ndarray, choice: np.ndarray, *, common: bool) -> np.ndarray:
    """The accuracy of each fold at the time chosen, [folds].

    Args:
        accuracy: [times, folds].
        choice: [times, folds], the larger the better.
        common: one time for all folds, of the largest mean choice (Xu et al. 2019, section 7); otherwise
            each fold has its own.
    """
    if common:
        return accuracy[choice.mean(1).argmax()]
    return accuracy[choice.argmax(0), np.arange(choice.shape[1])]
