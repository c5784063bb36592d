"""Sentence CNN: the features of filters by hand, and what fills a sentence up."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from architectures import tiny
from refusal import refused

from dljax import learn, models
from dljax.models.hybrids import text_cnn
from dljax.tasks.classification import classification
from dljax.tasks.supervised import texts
from dljax.weights.start import AtVectors


def test_a_filter_keeps_its_best_window():
    """Two words a window, vectors of one number: max over windows of ReLU(a x_i + b x_i+1 + c), with zeros
    around the sentence."""
    model = models.build(
        text_cnn, "rand", vocabulary=5, features=1, heights=(2,), filters=1, classes=1
    )
    params = {
        "embedding": jnp.array([[7.0], [1.0], [2.0], [-3.0], [5.0]]),
        "conv2": {"kernel": jnp.array([2.0, -1.0]).reshape(2, 1, 1, 1), "bias": jnp.array([0.5])},
        "head": {"kernel": jnp.ones((1, 1)), "bias": jnp.zeros(1)},
    }
    # Words 1, 2, -3: windows (0 1) (1 2) (2 -3) (-3 0) are -1, 0, 7, -6; and 0.5 each.
    out = model.apply({"params": params}, jnp.array([[1, 2, 3, 0, 0]]), train=False)
    np.testing.assert_allclose(out, [[7.5]], rtol=1e-6)
    # Word -3 alone: (0 -3) is 3, (-3 0) is -6.
    out = model.apply({"params": params}, jnp.array([[3, 0, 0, 0, 0]]), train=False)
    np.testing.assert_allclose(out, [[3.5]], rtol=1e-6)


def test_how_far_a_sentence_is_filled_up_changes_nothing():
    model, params, extra, _ = tiny(text_cnn, 0.3)
    short = jnp.array([[3, 5, 2], [1, 1, 9]])
    out = [
        model.apply({"params": params, **extra}, jnp.pad(short, ((0, 0), (0, n))), train=False)
        for n in (0, 1, 30)
    ]
    for other in out[1:]:
        # The same sums in other blocks.
        np.testing.assert_allclose(other, out[0], rtol=1e-5, atol=1e-6)


def test_the_static_table_is_no_parameter_and_stays():
    model, params, extra, inputs = tiny(text_cnn)
    assert params["embedding"].shape == extra["vectors"]["embedding"].shape == (17, 4)
    moved = jax.tree.map(lambda x: x + 1.0, extra)
    key = {"dropout": jax.random.key(0)}
    variables = {"params": params, **moved}
    _, after = model.apply(variables, **inputs, train=True, rngs=key, mutable=["vectors"])
    np.testing.assert_array_equal(after["vectors"]["embedding"], moved["vectors"]["embedding"])
    before = model.apply({"params": params, **extra}, **inputs, train=False)
    assert np.abs(model.apply(variables, **inputs, train=False) - before).max() > 0.1


@pytest.mark.parametrize("variant", ["static", "non-static", "multichannel"])
def test_training_begins_at_them(variant):
    model = models.build(text_cnn, variant, vocabulary=4, features=2)
    learner = learn(classification(model, inputs=texts), optax.sgd(0.1))
    batch = {"tokens": jnp.array([[1, 2, 3], [2, 2, 0]]), "label": jnp.array([0, 1])}
    fresh = learner.init(jax.random.key(0), batch)
    table = np.float32([[9, 9], [9, 9], [1, 2], [9, 9]])
    begun = AtVectors(table, np.array([False, False, True, False]))(None, fresh)
    used = jax.tree_util.tree_leaves_with_path((begun.params, begun.extra))
    tables = [np.asarray(x) for path, x in used if path[-1].key == "embedding"]
    assert len(tables) == len(model.tables)
    for one in tables:
        assert one[2].tolist() == [1, 2] and np.abs(one[[0, 1, 3]]).max() <= 0.25
    after, _ = learner.update(begun, batch)
    fixed = jax.tree.leaves(after.extra["model"])
    assert all(x[2].tolist() == [1, 2] for x in fixed) and len(fixed) == model.tables.count(
        "static"
    )
    with refused("no table of 5 words of 2 features"):
        AtVectors(np.zeros((5, 2), np.float32), np.ones(5, bool))(None, fresh)
