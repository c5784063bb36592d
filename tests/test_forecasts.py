"""Scores of forecasts: the definition's examples, and models whose scores are known."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dljax import EvalSet, Pipeline, learn
from dljax.analysis.forecasts import Forecasts, Scores, linear, mase, naive
from dljax.data.sources.series import SeriesWindows
from dljax.errors import UserError
from dljax.tasks.forecasting import forecasting
from dljax.types import Variables


def test_mase_by_hand():
    """Errors 1/2, 1/2, 0, 1, 3/4; steps of the history 9/2, 7/2, 2, 3, 2, 3: 0.55 / 3."""
    truth, guess = [3, -0.5, 2, 7, 2], [2.5, 0, 2, 8, 1.25]
    history = [5, 0.5, 4, 6, 3, 5, 2]
    np.testing.assert_allclose(mase(truth, guess, history), 0.55 / 3)
    # Of season 2: 1, 5.5, 1, 1, 1 in the mean 1.9.
    np.testing.assert_allclose(mase(truth, guess, history, 2), 0.55 / 1.9)


def test_the_naive_forecast_has_a_mase_of_one_in_its_own_history():
    x = np.random.default_rng(0).normal(size=50).cumsum()
    np.testing.assert_allclose(mase(x[1:], x[:-1], x), 1)
    np.testing.assert_allclose(mase(x[7:], x[:-7], x, 7), 1)


def test_the_last_season_again():
    past = np.arange(6.0)[None, :, None]
    np.testing.assert_array_equal(naive(past, 3)[0, :, 0], [5, 5, 5])
    np.testing.assert_array_equal(naive(past, 5, 3)[0, :, 0], [3, 4, 5, 3, 4])


def test_the_linear_forecast_finds_a_linear_rule():
    x = np.random.default_rng(0).normal(size=(500, 3, 1))
    future = np.stack([2 * x[:, 2] - x[:, 0] + 4, x[:, 1]], 1)
    np.testing.assert_allclose(
        linear(x, future), [[-1, 0], [0, 1], [2, 0], [4, 0]], atol=1e-4
    )  # a ridge of 1e-3 among 500


class Last(nn.Module):
    """The last number plus a parameter."""

    ahead: int

    @nn.compact
    def __call__(self, past, *, train: bool):
        shift = self.param("shift", nn.initializers.zeros, ())
        return past[:, -1] + jnp.zeros((1, self.ahead)) + shift


def scored(values, shift=0.0, **options):
    task = forecasting(Last(2))
    half = len(values) // 2
    test = EvalSet(SeriesWindows(values[half:], 5, 2))
    scores = Scores(task, test, SeriesWindows(values[:half], 5, 2), **options)
    variables = Variables({"model": {"shift": jnp.asarray(shift)}}, {"model": {}})
    return scores(variables, jax.random.key(0)), scores, variables


def test_a_model_that_is_the_naive_forecast_scores_as_it():
    walk = np.random.default_rng(0).normal(size=(400, 2)).cumsum(0).astype(np.float32)
    found, scores, variables = scored(walk)
    assert found["mase"] == found["naive"] and found["gain"] <= 0
    worse, _, _ = scored(walk, 5.0)
    assert worse["mase"] > found["mase"] and worse["r2"] < found["r2"]
    picture = Forecasts(scores)(variables, jax.random.key(0))
    assert picture.dtype == np.uint8 and picture.shape[2] == 3


def test_a_season_is_seen_by_the_seasonal_forecast():
    wave = np.tile([0.0, 3.0, 1.0, -2.0], 30)[:, None].astype(np.float32)
    found, _, _ = scored(wave, season=4)
    assert found["seasonal"] == 0 and found["linear"] < 1e-3 < found["naive"]


def test_forecasting_is_learned_and_its_errors_are_by_hand(key):
    values = np.arange(40.0, dtype=np.float32)[:, None]
    data = Pipeline(SeriesWindows(values, 5, 2), 8)
    learner = learn(forecasting(Last(2)), optax.sgd(0.5))
    state = learner.init(key, data.batch(0))
    # One and two above the last: squares 1 and 4.
    measured = learner.evaluate(state, data.batch(0))
    np.testing.assert_allclose(measured["loss"].value, 2.5)
    np.testing.assert_allclose(measured["mae"].value, 1.5)
    state, _ = learner.update(state, data.batch(0))
    np.testing.assert_allclose(state.params["model"]["shift"], 1.5)  # the least squares
    with pytest.raises(UserError, match="outputs=2"):
        task = forecasting(Last(3))
        task.check(jax.eval_shape(lambda: Variables(*task.init(key, data.batch(0)))), data.batch(0))
