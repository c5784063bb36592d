"""Link prediction: held-out links are in no message, no true pair is among the drawn ones; the scores by hand."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax.analysis.links import ranked
from dljax.data import EvalSet, Pipeline
from dljax.data.fake import graph
from dljax.data.sources.links import redrawn, split, strangers
from dljax.errors import UserError
from dljax.tasks.links import links

WHOLE = graph(60, 5, 3)


def pairs(at: np.ndarray) -> set[tuple[int, int]]:
    return {(min(a, b), max(a, b)) for a, b in np.asarray(at).reshape(-1, 2).tolist()}


EVERY = pairs(np.stack([WHOLE.senders, WHOLE.receivers], 1))


def test_held_out_links_are_in_no_message():
    parts = split(WHOLE, 0.1, 0.2, seed=3)
    linked = [pairs(part.linked) for part in parts]
    assert set().union(*linked) == EVERY and sum(map(len, linked)) == len(EVERY)
    assert [len(part) for part in linked[1:]] == [int(0.1 * len(EVERY)), int(0.2 * len(EVERY))]
    for part in parts:
        edges = np.stack([part.graph.senders, part.graph.receivers], 1)
        assert pairs(edges) == linked[0] and len(edges) == 2 * len(linked[0])


def test_pairs_drawn_are_no_links():
    """Of training none of its own; those held out, drawn once, none at all. Each step has others."""
    train, validation, test = split(WHOLE, 0.1, 0.2, seed=3)
    for part in (validation, test):
        assert len(part.unlinked) == len(part.linked)
        assert (
            not pairs(part.unlinked) & EVERY and (part.unlinked[:, 0] != part.unlinked[:, 1]).all()
        )
    data = Pipeline(train, 1, 5, redrawn(train))
    batches = [data.batch(step) for step in (0, 1, 0)]
    for batch in batches:
        where = batch["label"] > 0
        assert where.sum() == (~where).sum() == len(train.linked)
        assert pairs(batch["pairs"][where]) == pairs(train.linked)
        assert not pairs(batch["pairs"][~where]) & pairs(train.linked)
    np.testing.assert_array_equal(batches[0]["pairs"], batches[2]["pairs"])
    assert (batches[0]["pairs"] != batches[1]["pairs"]).any()


def test_the_last_unlinked_pairs_are_found():
    """Of the 6 pairs of 4 nodes 4 are known, in either order."""
    known = np.array([[1, 0], [0, 2], [3, 0], [2, 3]])
    found = strangers(4, known, 50, np.random.default_rng(0))
    assert pairs(found) == {(1, 2), (1, 3)}


def test_too_few_links_are_one_line():
    with pytest.raises(UserError, match="too few to hold out 0.001"):
        split(WHOLE, 0.001, 0.1)


class Table(nn.Module):
    """Vectors of nodes that are parameters."""

    @nn.compact
    def __call__(self, node, senders, receivers, *, train: bool):
        return self.param("table", nn.initializers.normal(1.0), (len(node), 2))


def test_the_loss_is_the_cross_entropy_of_products(key):
    """-log sigmoid(s) of a linked pair and -log sigmoid(-s) of another, s the product of their vectors."""
    task = links(Table())
    (batch,) = EvalSet(split(WHOLE, 0.1, 0.2).test).batches(1)
    batch = jax.tree.map(jnp.asarray, batch)
    params, extra = task.init(key, batch)
    z = np.asarray(params["model"]["table"], np.float64)
    a, b = np.asarray(batch["pairs"]).T
    sign = 2 * np.asarray(batch["label"], np.float64) - 1
    s = (z[a] * z[b]).sum(1)
    found = task.evaluate(params, extra, batch, key)
    np.testing.assert_allclose(found["loss"].value, np.log1p(np.exp(-sign * s)).mean(), rtol=1e-5)
    np.testing.assert_allclose(found["accuracy"].value, (sign * s > 0).mean(), rtol=1e-6)
    loss, _ = task.losses["model"](params, extra, batch, key)
    np.testing.assert_allclose(loss.value, found["loss"].value, rtol=1e-6)


def test_area_and_precision_by_hand():
    """Linked at 3, 1; unlinked at 2, 1, 0: of 6 comparisons 4 are won and one is even."""
    label, scores = np.array([1, 1, 0, 0, 0]), np.array([3.0, 1.0, 2.0, 1.0, 0.0])
    found = ranked({"label": label}, scores)
    assert found["auc"] == pytest.approx(4.5 / 6)
    # Precision 1 at the first; at the second, all four of 1 and above are taken, of which two are linked.
    assert found["ap"] == pytest.approx((1 + 2 / 4) / 2)
