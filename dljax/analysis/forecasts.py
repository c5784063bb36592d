"""Scores of forecasts beside those of simple ones, and pictures of both."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dljax.analysis import charts
from dljax.analysis.predictions import predict
from dljax.data.pipeline import EvalSet
from dljax.data.sources.series import SeriesWindows
from dljax.types import Key, Task, Variables

_FITTED = 20_000  # windows to which the linear forecast is fitted
_RIDGE = 1e-3


def mase(truth, guess, history, season: int = 1) -> float:
    """The mean absolute scaled error, mean |y - guess| / mean |history_t - history_t-season|.

    Below 1 the forecast is better than the naive one is within the history. Hyndman & Koehler 2006,
    doi:10.1016/j.ijforecast.2006.03.001, section 3.

    Args:
        truth, guess: of one shape.
        history: [t], that the forecast was fitted to.
        season: times after which the naive forecast repeats.
    """
    history = np.asarray(history, np.float64)
    scale = np.abs(history[season:] - history[:-season]).mean()
    return float(np.abs(np.asarray(truth, np.float64) - np.asarray(guess)).mean() / scale)


def naive(past: np.ndarray, ahead: int, season: int = 1) -> np.ndarray:
    """The last season again and again, [n, past, c] -> [n, ahead, c]; of season 1 the last number."""
    at = past.shape[1] - season + np.arange(ahead) % season
    return past[:, at]


def linear(past: np.ndarray, future: np.ndarray) -> np.ndarray:
    """Weights [past + 1, ahead] of the least squares of one channel's future by its past and a constant.

    Args:
        past, future: [n, past, 1] and [n, ahead, 1].
    """
    x = np.concatenate([past[..., 0], np.ones((len(past), 1))], 1).astype(np.float64)
    gram = x.T @ x + _RIDGE * np.eye(x.shape[1])
    return np.linalg.solve(gram, x.T @ future[..., 0])


@dataclass(frozen=True)
class Scores:
    """A look: the MASE of a model's forecasts, and "zero", "naive", "seasonal" and "linear", those of simple ones.

    Means over channels. "zero" is the training stretch' mean where the numbers are standardized. "gain" is
    the part of the best simple one's that the model saves; "r2" the part of the future's variance that it
    explains, and "r2_linear" likewise; "direction" the part of the numbers whose sign it has right, which is
    of interest where the numbers are changes.

    Attributes:
        data: windows of the test stretch.
        train: windows of the training stretch, from which the scale and the linear forecast are.
        season: of the seasonal forecast; the scale is the naive forecast's of season 1.
    """

    task: Task
    data: EvalSet
    train: SeriesWindows
    season: int = 1

    @cached_property
    def _weights(self) -> np.ndarray:
        at = np.unique(np.linspace(0, len(self.train) - 1, _FITTED).astype(np.int64))
        found = self.train.gather(at)
        return linear(found["past"], found["future"])

    def _all(self, examples: Mapping[str, np.ndarray], output: np.ndarray) -> dict[str, np.ndarray]:
        past, future = examples["past"], examples["future"]
        ahead, season = future.shape[1], min(self.season, past.shape[1])
        constant = np.ones((len(past), 1), np.float32)
        by_line = np.concatenate([past[..., 0], constant], 1) @ self._weights
        return {
            "mase": np.asarray(output, np.float32).reshape(future.shape),
            "zero": np.zeros_like(future),
            "naive": naive(past, ahead),
            "seasonal": naive(past, ahead, season),
            "linear": by_line.astype(np.float32)[..., None],
        }

    def __call__(self, variables: Variables, key: Key) -> Mapping[str, float]:
        examples, output = predict(self.task, variables, self.data)
        guesses = self._all(examples, output)
        future, channel = examples["future"], examples["channel"]
        out = {}
        for name, guess in guesses.items():
            of_channel = [
                mase(future[channel == c], guess[channel == c], self.train.values[:, c])
                for c in np.unique(channel)
            ]
            out[name] = float(np.mean(of_channel))
        best = min(out[name] for name in guesses if name != "mase")
        out["gain"] = 1 - out["mase"] / max(best, 1e-12)
        variance = np.mean((future - future.mean()) ** 2)
        for name, guess in (("r2", guesses["mase"]), ("r2_linear", guesses["linear"])):
            out[name] = float(1 - np.mean((future - guess) ** 2) / variance)
        out["direction"] = float(np.mean((guesses["mase"] > 0) == (future > 0)))
        return out


@dataclass(frozen=True)
class Forecasts:
    """A look: some windows of a set, with the future, the model's forecast of it and the linear one.

    Attributes:
        scores: of the model, for its set and its linear forecast.
        shown: number of windows, evenly spaced over the set.
    """

    scores: Scores
    shown: int = 4

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        examples, output = predict(self.scores.task, variables, self.scores.data)
        guesses = self.scores._all(examples, output)
        at = np.linspace(0, len(output) - 1, self.shown).astype(int)
        return charts.forecasts(
            examples["past"][at, :, 0],
            {
                "truth": examples["future"][at, :, 0],
                "linear": guesses["linear"][at, :, 0],
                "model": guesses["mase"][at, :, 0],
            },
        )
