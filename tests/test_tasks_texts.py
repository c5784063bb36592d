"""Hidden tokens, and the next text."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusal import refused

from dljax.tasks.classification import classification
from dljax.tasks.language import language
from dljax.tasks.pretraining import pretraining
from dljax.tasks.supervised import texts

LOGITS = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
FOLLOWS = np.array([[0.0, 2.0], [1.0, 0.0], [0.5, 0.0]], np.float32)
TARGETS = np.array([[-1, 2, -1, 4], [0, -1, -1, -1], [1, 1, 1, 1]], np.int32)
BATCH = {
    "tokens": np.ones((3, 4), np.int32),
    "types": np.zeros((3, 4), np.int32),
    "targets": TARGETS,
    "label": np.array([1, 1, 0], np.int32),
    "mask": np.array([1, 1, 0], np.float32),  # the last row pads the set
}


class Both(nn.Module):
    """Outputs as they are given."""

    @nn.compact
    def __call__(self, tokens, types, *, train: bool):
        scale = self.param("scale", nn.initializers.ones, ())
        return scale * jnp.asarray(LOGITS), scale * jnp.asarray(FOLLOWS)


class First(nn.Module):
    @nn.compact
    def __call__(self, tokens, types, *, train: bool):
        return self.param("scale", nn.initializers.ones, ()) * jnp.asarray(LOGITS)


def evaluated(task) -> dict[str, float]:
    key = jax.random.key(0)
    params, extra = task.init(key, BATCH)
    return {n: float(m.value) for n, m in task.evaluate(params, extra, BATCH, key).items()}


def nats(logits, target) -> float:
    x = np.asarray(logits, np.float64)
    return float(np.log(np.exp(x).sum()) - x[target])


HIDDEN = [nats(LOGITS[0, 1], 2), nats(LOGITS[0, 3], 4), nats(LOGITS[1, 0], 0)]
SECOND = [nats(FOLLOWS[0], 1), nats(FOLLOWS[1], 1)]


def test_the_mean_is_over_hidden_tokens_alone():
    assert evaluated(language(First()))["loss"] == pytest.approx(np.mean(HIDDEN), rel=1e-6)


def test_pre_training_adds_both():
    found = evaluated(pretraining(Both()))
    rows = [(HIDDEN[0] + HIDDEN[1]) / 2 + SECOND[0], HIDDEN[2] + SECOND[1]]
    assert found["loss"] == pytest.approx(np.mean(rows), rel=1e-6)
    assert found["masked_loss"] == pytest.approx(np.mean(HIDDEN), rel=1e-6)
    assert found["follows_loss"] == pytest.approx(np.mean(SECOND), rel=1e-6)
    assert found["follows_accuracy"] == 0.5


def test_tags_count_where_there_is_one():
    task = classification(First(), inputs=texts, ignore=-1)
    key = jax.random.key(0)
    batch = {**BATCH, "label": TARGETS}
    params, extra = task.init(key, batch)
    loss = task.evaluate(params, extra, batch, key)["loss"]
    task.check(
        (params, extra), {**batch, "label": np.asarray(TARGETS)}
    )  # -1 is no class, and no fault
    assert float(loss.count) == 3 and float(loss.value) == pytest.approx(np.mean(HIDDEN), rel=1e-6)


def test_what_does_not_fit_is_refused():
    task = pretraining(Both())
    params, extra = task.init(jax.random.key(0), BATCH)
    for change, words in (
        ({"label": np.array([1, 2, 0], np.int32)}, "where the model has 2 outputs"),
        ({"targets": TARGETS + 3}, "none of the model's 5"),
    ):
        with refused(words):
            task.check((params, extra), {**BATCH, **change})
