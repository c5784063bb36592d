"""Forecasts by recurrent nets (LSTM, GRU), beside naive, seasonal and linear ones.

    dljax train experiments/recurrent/series.py
    dljax train experiments/recurrent/series.py --claim etth1 --data FOLDER

Mackey-Glass' chaotic equation, 84 times ahead; the daily changes of Google's price, of which nothing should
know more than that they are near zero; a transformer's loads (ETTh1) four days ahead from
the last week, as changes from the last number. MASE is scaled by the naive forecast of the next time.
DLinear (Zeng et al. 2022, arXiv:2205.13504) has 0.375 on ETTh1, from 336 hours.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.forecasts import Forecasts, Scores
from dljax.data.datasets import series
from dljax.data.sources.series import SeriesWindows
from dljax.models.recurrent import series as recurrent
from dljax.tasks.forecasting import forecasting

CLAIMS = {
    "mackey_glass": {"expect": "scores/gain >= 0.5"},
    "google": {
        "dataset": "google",
        "past": 20,
        "ahead": 1,
        "steps": 300,
        "expect": ["scores/gain <= 0.02", "scores/r2 <= 0.02"],
    },
    "stocks": {
        "dataset": "stocks",
        "past": 20,
        "ahead": 1,
        "steps": 500,
        "expect": ["scores/gain <= 0.02", "scores/r2 <= 0.02"],
    },
    "etth1": {
        "dataset": "etth1",
        "past": 168,
        "ahead": 96,
        "expect": "test/loss <= 0.45",
    },
}
SMALL = {"variant": "tiny", "batch": 8, "past": 12, "ahead": 3}


def experiment(
    *,
    dataset: Literal["mackey_glass", "google", "stocks", "etth1"] = "mackey_glass",
    variant: str = "lstm",
    past: int = 100,
    ahead: int = 84,
    steps: int = 800,
    batch: int = 64,
    lr: float = 3e-3,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    found = series.load(dataset, past, data, fake=fake)
    relative = dataset == "etth1"
    train, test = (SeriesWindows(x, past, ahead, relative) for x in (found.train, found.test))
    validation = EvalSet(SeriesWindows(found.validation, past, ahead, relative))
    task = forecasting(models.build(recurrent, variant, outputs=ahead))
    scores = Scores(task, EvalSet(test), train, series.SEASON[dataset])
    rate = optax.cosine_decay_schedule(lr, steps)
    return Experiment(
        Phase(
            learn(task, optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))),
            Pipeline(train, batch, seed=seed),
            steps,
            evals={"validation": validation, "test": EvalSet(test)},
            looks={"scores": scores, "forecasts": Forecasts(scores)},
            every=max(1, steps // 4),
        ),
        seed=seed,
    )
