"""Calibration, ensembles and dropout's passes, and a rank statistic, against closed forms."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.metrics import roc_auc_score

from dljax import Arrays, EvalSet, learn
from dljax.analysis import charts, uncertainty
from dljax.analysis.classifier import calibration_error
from dljax.errors import UserError
from dljax.learner import many_seeds
from dljax.learner.core import in_use
from dljax.nn import Dropout
from dljax.tasks.classification import classification
from dljax.types import Variables

# Calibration


def test_reliability_by_hand():
    """Confidences 0.6 (wrong), 0.7 (right), 0.9 (right) and 0.95 (wrong), in four bins."""
    chance = np.array([0.6, 0.7, 0.9, 0.95])
    logits = np.log(np.stack([chance, 1 - chance], 1))
    found = uncertainty.reliability(logits, np.array([1, 0, 0, 1]), 4)
    np.testing.assert_array_equal(found.size, [0, 0, 2, 2])
    np.testing.assert_allclose(found.confidence, [0, 0, 0.65, 0.925])
    np.testing.assert_array_equal(found.accuracy, [0, 0, 0.5, 0.5])
    np.testing.assert_allclose(found.error, (0.15 + 0.425) / 2)


def test_the_diagram_has_the_error_of_the_score():
    rng = np.random.default_rng(0)
    logits, label = 2 * rng.normal(size=(500, 5)), rng.integers(0, 5, 500)
    found = uncertainty.reliability(logits, label)
    # calibration_error's softmax is in float32
    expected = calibration_error({"label": label}, logits)["ece"]
    np.testing.assert_allclose(found.error, expected, rtol=1e-5)
    assert found.size.sum() == 500


def test_a_diagram_shows_who_is_too_sure():
    def redness(accuracy):
        picture = charts.reliability([9, 9], [0.3, 0.8], accuracy).astype(float)
        return (picture[..., 0] - picture[..., 2]).clip(50).sum()

    assert redness([0.1, 0.2]) > redness([0.3, 0.6]) > redness([0.5, 0.9])


@pytest.mark.parametrize("right", [0.6, 0.75, 0.95])
def test_the_temperature_of_two_classes(right):
    """Logits 2 and 0, of which the first is right in a part p: sigmoid(2 / T) = p."""
    logits = np.tile(np.array([[2.0, 0.0]], np.float32), (100, 1))
    label = (np.arange(100) >= round(100 * right)).astype(np.int32)
    found = jax.jit(uncertainty.temperature)(logits, label)
    np.testing.assert_allclose(found, 2 / np.log(right / (1 - right)), rtol=1e-4)  # float32


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_the_temperature_is_the_best_of_a_grid(scale):
    rng = np.random.default_rng(0)
    label = rng.integers(0, 5, 400).astype(np.int32)
    logits = rng.normal(size=(400, 5)) + 1.5 * np.eye(5)[label]
    logits = (scale * logits).astype(np.float32)

    def nll(t):
        z = logits.astype(np.float64) / t
        return np.mean(
            np.log(np.exp(z - z.max(1, keepdims=True)).sum(1)) + z.max(1) - z[np.arange(400), label]
        )

    grid = np.exp(np.linspace(np.log(0.02), np.log(50), 2000))
    best = grid[np.argmin([nll(t) for t in grid])]
    found = float(uncertainty.temperature(jnp.asarray(logits), jnp.asarray(label)))
    np.testing.assert_allclose(found, best, rtol=4e-3)  # the grid's own step
    assert nll(found) <= nll(best) + 1e-9


def test_the_temperature_of_a_faultless_model_is_the_bound():
    logits = 3.0 * jnp.eye(4)
    label = jnp.arange(4)
    np.testing.assert_allclose(uncertainty.temperature(logits, label, 20.0), 1 / 20, rtol=1e-5)
    np.testing.assert_allclose(uncertainty.temperature(logits, label[::-1], 20.0), 20, rtol=1e-5)


# Ensembles


def test_an_opinion_by_hand():
    """Two members: they agree, they contradict each other, one of them is undecided."""
    first = [[0.5, 0.5], [1.0, 0.0], [1.0, 0.0]]
    second = [[0.5, 0.5], [0.0, 1.0], [0.5, 0.5]]
    found = uncertainty.opinion(jnp.array([first, second]))
    log2 = np.log(2)
    mixed = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    np.testing.assert_allclose(found.chance, [[0.5, 0.5], [0.5, 0.5], [0.75, 0.25]], rtol=1e-6)
    np.testing.assert_allclose(found.entropy, [log2, log2, mixed], rtol=1e-6)
    np.testing.assert_allclose(found.information, [0, log2, mixed - log2 / 2], rtol=1e-6, atol=1e-7)


class Net(nn.Module):
    """Dropout layers between a BatchNorm and the logits; without weights but for the norm's."""

    rate: float = 0.25

    @nn.compact
    def __call__(self, image, *, train: bool):
        x = nn.BatchNorm(use_running_average=not train, name="norm")(image)
        x = Dropout(self.rate, name="ours")(x, train=train)
        return nn.Dropout(self.rate, deterministic=not train, name="flax")(x)


class Plain(nn.Module):
    @nn.compact
    def __call__(self, image, *, train: bool):
        return nn.Dense(3, name="out")(image)


def used(net):
    task = classification(net)
    batch = {"image": jnp.ones((4, 5000)) + jnp.arange(4.0)[:, None]}
    return task.predict, Variables(*task.init(jax.random.key(0), batch)), batch


def test_dropout_is_on_and_nothing_else_changes(key):
    """Two layers of rate 1/4: a value is 16/9 of itself in 9 cases of 16, else 0."""
    predict, variables, batch = used(Net())
    on = jax.jit(uncertainty.with_dropout(predict))
    out = np.asarray(on(key, variables, batch))
    whole = np.asarray(predict(variables, batch))  # BatchNorm in use; in training all would be 0
    kept = out != 0
    np.testing.assert_allclose(out[kept], (whole * 16 / 9)[kept], rtol=1e-5)  # float32
    # Five standard errors of 20,000 draws. One mask for both layers would keep 3/4.
    np.testing.assert_allclose(kept.mean(), 9 / 16, atol=5 * np.sqrt(9 / 16 * 7 / 16 / 20_000))
    np.testing.assert_array_equal(on(key, variables, batch), out)
    assert (np.asarray(on(jax.random.key(1), variables, batch)) != out).any()
    np.testing.assert_array_equal(predict(variables, batch), whole)


def test_a_mask_that_rows_share(key):
    class Shared(nn.Module):
        @nn.compact
        def __call__(self, image, *, train: bool):
            return nn.Dropout(0.5, broadcast_dims=(0,), deterministic=not train)(image)

    predict, variables, batch = used(Shared())
    kept = np.asarray(uncertainty.with_dropout(predict)(key, variables, batch)) != 0
    assert (kept == kept[:1]).all() and 0.4 < kept.mean() < 0.6


def test_passes_with_dropout_are_an_ensemble(key):
    """Two logits x d / (1 - r), each dropped with chance r = 1/2: the mean over four cases."""

    class Half(nn.Module):
        @nn.compact
        def __call__(self, image, *, train: bool):
            return Dropout(0.5)(image, train=train)

    predict, variables, _ = used(Half())
    batch = {"image": jnp.array([[1.0, 0.0]])}
    chances = uncertainty.dropout_chances(predict, variables, batch, key=key, n=4000)
    assert chances.shape == (4000, 1, 2)
    up = 1 / (1 + np.exp(-2.0))  # the first logit is 2 or 0
    found = uncertainty.opinion(chances)
    error = 5 * (up - 0.5) / 2 / np.sqrt(4000)  # five standard errors
    np.testing.assert_allclose(found.chance[0, 0], (up + 0.5) / 2, atol=error)
    assert found.information[0] > 0.01


def test_without_dropout_there_are_no_passes(key):
    predict, variables, batch = used(Plain())
    with pytest.raises(UserError, match="no dropout layer is called"):
        uncertainty.dropout_chances(predict, variables, batch, key=key)


def test_an_ensemble_of_seeds_is_each_model_alone(key):
    task = classification(Plain())
    batch = {"image": jnp.arange(8.0).reshape(4, 2), "label": jnp.zeros(4, int)}
    state = many_seeds(learn(task, optax.sgd(0.1)), 3).init(key, batch)
    chances = uncertainty.ensemble_chances(task.predict, in_use(state), batch)
    for i in range(3):
        logits = np.asarray(batch["image"]) @ state.params["model"]["out"]["kernel"][i]
        alone = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        np.testing.assert_allclose(chances[i], alone, rtol=1e-4, atol=1e-6)  # float32


# Another distribution


def test_auroc_by_hand():
    """3 wins twice; each 2 wins once and ties once: (2 + 1.5 + 1.5) / 6."""
    assert uncertainty.auroc([3, 2, 2], [2, 1]) == 5 / 6
    assert uncertainty.auroc([1, 1], [1]) == 0.5
    assert uncertainty.auroc([2.0], [1.0, 1.5]) == 1.0


def test_auroc_with_ties_is_scikit_learns():
    rng = np.random.default_rng(0)
    above, below = rng.integers(0, 9, 200), rng.integers(-2, 7, 300)
    truth = np.repeat([1, 0], [200, 300])
    expected = roc_auc_score(truth, np.concatenate([above, below]))
    np.testing.assert_allclose(uncertainty.auroc(above, below), expected, rtol=1e-12)


@pytest.mark.parametrize("above, below", [([], [1.0]), ([1.0], []), ([np.nan], [1.0])])
def test_auroc_of_no_numbers_is_one_line(above, below):
    with pytest.raises(UserError, match="empty or has NaN"):
        uncertainty.auroc(above, below)


def test_confidences_near_one_keep_their_order():
    logits = np.array([[20.0, 0.0], [21.0, 0.0], [0.0, 0.0]])
    found = uncertainty.confidence(logits)
    assert found[0] < found[1] < 1 and found[2] == 0.5


def test_looks(key):
    class Given(nn.Module):
        @nn.compact
        def __call__(self, image, *, train: bool):
            return self.param("scale", nn.initializers.ones, ()) * image

    task = classification(Given())
    rng = np.random.default_rng(0)
    sets = [rng.normal(size=(n, 3)).astype(np.float32) * s for n, s in ((50, 4.0), (300, 1.0))]
    variables = Variables(*task.init(key, {"image": jnp.asarray(sets[0])}))
    data = [EvalSet(Arrays({"image": x, "label": x.argmin(1).astype(np.int32)})) for x in sets]
    exps = [np.exp(x.astype(float)) for x in sets]
    top = [(x / x.sum(1, keepdims=True)).max(1) for x in exps]
    wins = (top[0][:, None] > top[1][None]).mean()
    found = uncertainty.OutOfDistribution(task, *data)(variables, key)
    np.testing.assert_allclose(found["auroc"], wins, atol=1e-9)
    picture = uncertainty.Reliability(task, data[0])(variables, key)
    assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.std() > 1
