"""Series to foretell: the Mackey-Glass equation, which is computed; prices of Google's stock, which install with
matplotlib; hourly loads and the oil's temperature of a transformer (ETTh1; Zhou et al. 2021, arXiv:2012.07436),
and daily prices of stocks, from files.
"""

import csv
import gzip
import io
from pathlib import Path
from typing import Literal

import numpy as np

from dljax.data.sources import embedded
from dljax.data.sources.series import Split, split
from dljax.errors import UserError

Name = Literal["mackey_glass", "google", "etth1", "stocks"]
# Times after which a series repeats itself, more or less: a day of hours; else the time before.
SEASON = {"mackey_glass": 50, "google": 1, "etth1": 24, "stocks": 1}


def mackey_glass(n: int, *, delay: int = 17, steps: int = 10) -> np.ndarray:
    """x' = 0.2 x(t - delay) / (1 + x(t - delay)^10) - 0.1 x, at whole times, float64 [n].

    Mackey & Glass 1977, doi:10.1126/science.267326; chaotic at a delay of 17. From x = 1.2, by the
    Runge-Kutta method of fourth order; the first 500 times are left out.

    Args:
        steps: of the method in a unit of time.
    """
    h, back = 1 / steps, delay * steps
    x = [1.2] * (back + 1)

    def slope(now: float, then: float) -> float:
        return 0.2 * then / (1 + then**10) - 0.1 * now

    for i in range(back, back + (n + 500) * steps):
        # Of the delayed values the one between two steps is their mean.
        late, later, now = x[i - back], x[i - back + 1], x[i]
        between = (late + later) / 2
        a = slope(now, late)
        b = slope(now + h / 2 * a, between)
        c = slope(now + h / 2 * b, between)
        d = slope(now + h * c, later)
        x.append(now + h / 6 * (a + 2 * b + 2 * c + d))
    return np.array(x[back + 500 * steps :: steps][:n])


def load(name: Name, past: int, data: str = "", *, fake: bool = False) -> Split:
    """The first part for training, then validation and test, standardized.

    Of ETTh1 8,640, 2,880 and 2,880 hours, as is usual; of the others 60, 20 and 20 %. Prices are
    logarithms of their ratios from day to day.

    Args:
        past: length of the windows' past.
        data: of "etth1" the folder with ETTh1.csv, of "stocks" that with stocks.csv.gz; else empty.
        fake: a noisy sum of sines, of as many channels.

    Raises:
        UserError: a file is missing, or is no such table.
    """
    if name in ("mackey_glass", "google"):
        embedded(data)
    if fake:
        return _parts(_waves({"etth1": 7, "stocks": 3}.get(name, 1)), past, ())
    if name == "mackey_glass":
        return _parts(mackey_glass(5000)[:, None], past, ("x",))
    if name == "google":
        return _parts(_returns(_google()[:, None]), past, ("GOOG",))
    if name == "etth1":
        values, names = _etth1(_file(data, "ETTh1.csv", "zhouhaoyi/ETDataset on GitHub"))
        return split(values, (8640, 11520, 14400), past, names)
    prices, names = _stocks(_file(data, "stocks.csv.gz", "Ticker,Date,...,Adj Close a line"))
    return _parts(_returns(prices), past, names)


def _parts(values: np.ndarray, past: int, names: tuple[str, ...]) -> Split:
    n = len(values)
    return split(values, (n * 6 // 10, n * 8 // 10, n), past, names)


def _returns(prices: np.ndarray) -> np.ndarray:
    return np.diff(np.log(prices), axis=0)


def _waves(channels: int) -> np.ndarray:
    rng, t = np.random.default_rng(29), np.arange(1500)[:, None]
    phase, period = rng.uniform(0, 6, channels)[None], rng.uniform(10, 40, channels)[None]
    return np.sin(6.283 * t / period + phase) + 0.1 * rng.normal(size=(1500, channels))


def _google() -> np.ndarray:
    """Adjusted closing prices of 1,047 days from August 2004 on."""
    import matplotlib

    path = Path(matplotlib.get_data_path(), "sample_data", "goog.npz")
    if not path.is_file():
        raise UserError(
            f"no file {path}: this matplotlib has no Google prices; take another dataset"
        )
    with np.load(path) as stored:
        return stored["price_data"]["adj_close"].astype(np.float64)


def _file(data: str, name: str, where: str) -> Path:
    path = Path(data, name)
    if not data or not path.is_file():
        raise UserError(
            f"no file {str(path)!r}: give the folder with {name} ({where}) with --data FOLDER; or try "
            "--fake true"
        )
    return path


def _rows(path: Path) -> list[dict[str, str]]:
    raw = path.read_bytes()
    try:
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error}): expected a table as csv") from None
    return list(csv.DictReader(io.StringIO(text)))


def _etth1(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    rows = _rows(path)
    names = tuple(name for name in (rows[0] if rows else {}) if name != "date")
    try:
        values = np.array([[float(row[name]) for name in names] for row in rows])
    except (ValueError, TypeError) as error:
        raise UserError(f"{path} has a cell that is no number ({error})") from None
    if len(values) < 14400:
        raise UserError(f"{path} has {len(values)} hours: expected 14,400 or more")
    return values, names


def _stocks(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """Adjusted closing prices of the companies that have the longest history, [days, companies]."""
    by_name: dict[str, dict[str, float]] = {}
    try:
        for row in _rows(path):
            by_name.setdefault(row["Ticker"], {})[row["Date"]] = float(row["Adj Close"])
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(
            f"{path}: expected columns Ticker, Date and Adj Close ({error!r})"
        ) from None
    longest = max((len(days) for days in by_name.values()), default=0)
    names = tuple(name for name, days in by_name.items() if len(days) == longest)
    shared = sorted(set.intersection(*(set(by_name[name]) for name in names)) if names else ())
    if not shared:
        raise UserError(f"{path} has no day that its companies share")
    return np.array([[by_name[name][day] for name in names] for day in shared]), names
