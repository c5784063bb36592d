"""Series: windows, splits and the sets, by hand."""

import gzip

import numpy as np
import pytest

from dljax.data.datasets import series
from dljax.data.sources.series import SeriesWindows, split
from dljax.errors import UserError


def test_windows_of_two_channels():
    values = np.stack([np.arange(6.0), 10 * np.arange(6.0)], 1)
    source = SeriesWindows(values, 3, 2)
    assert len(source) == 2 * 2  # two places, two channels
    found = source.gather(np.array([0, 3]))
    np.testing.assert_array_equal(found["past"][..., 0], [[0, 1, 2], [10, 20, 30]])
    np.testing.assert_array_equal(found["future"][..., 0], [[3, 4], [40, 50]])
    np.testing.assert_array_equal(found["channel"], [0, 1])
    relative = SeriesWindows(values, 3, 2, relative=True).gather(np.array([3]))
    np.testing.assert_array_equal(relative["past"][..., 0], [[-20, -10, 0]])
    np.testing.assert_array_equal(relative["future"][..., 0], [[10, 20]])


def test_every_number_of_a_test_stretch_is_foretold_once_ahead():
    """The past of its first window lies before it; nothing of it is in the training stretch."""
    values = np.arange(20.0)[:, None]
    found = split(values, (10, 14, 20), 3, ("x",))
    scale = values[:10].std()
    for stretch, future in ((found.validation, range(10, 14)), (found.test, range(14, 20))):
        source = SeriesWindows(stretch, 3, 1)
        foretold = source.gather(np.arange(len(source)))["future"][:, 0, 0] * scale + 4.5
        np.testing.assert_allclose(foretold, list(future), rtol=1e-6)
    np.testing.assert_allclose((found.train.mean(), found.train.std()), (0, 1), atol=1e-6)


def test_windows_are_refused_in_words():
    with pytest.raises(UserError, match=r"add \[:, None\]"):
        SeriesWindows(np.arange(9.0), 3, 1)
    with pytest.raises(UserError, match="9 times has no window of 8 and 2"):
        SeriesWindows(np.zeros((9, 1)), 8, 2)
    holes = np.zeros((9, 2))
    holes[4, 1] = np.nan
    with pytest.raises(UserError, match="no number at time 4"):
        SeriesWindows(holes, 3, 1)


def test_mackey_glass_does_not_depend_on_the_step():
    """A tenth and a twentieth of a unit: of a method of fourth order whose delayed values are of second."""
    coarse, fine = (series.mackey_glass(20, steps=n) for n in (10, 20))
    np.testing.assert_allclose(coarse[:5], fine[:5], rtol=2e-2)  # chaos magnifies the rest
    x = series.mackey_glass(2000)
    assert 0.2 < x.min() < 0.5 and 1.2 < x.max() < 1.5  # the attractor at a delay of 17


def test_an_undelayed_equation_has_its_fixed_point():
    """Without a delay x goes to where 0.2 / (1 + x^10) = 0.1, which is 1."""
    np.testing.assert_allclose(series.mackey_glass(5, delay=1), 1.0, atol=1e-6)


def test_googles_prices_are_matplotlibs():
    """100.34 and 108.31 dollars on the first two days; 1,046 changes."""
    prices = series._google()
    np.testing.assert_allclose(prices[:2], [100.34, 108.31])
    found = series.load("google", 20)
    assert sum(map(len, (found.train, found.validation, found.test))) == 1046 + 2 * 20
    changes = np.diff(np.log(prices))
    expected = (changes - changes[:627].mean()) / changes[:627].std()
    np.testing.assert_allclose(found.train[:, 0], expected[:627], rtol=1e-4, atol=1e-6)


def test_files_of_series(tmp_path):
    with pytest.raises(UserError, match="ETTh1.csv .* --data FOLDER"):
        series.load("etth1", 20)
    (tmp_path / "ETTh1.csv").write_text("date,a,OT\n2016,1,x\n")
    with pytest.raises(UserError, match="a cell that is no number"):
        series.load("etth1", 20, str(tmp_path))
    (tmp_path / "ETTh1.csv").write_text("date,a,OT\n2016,1,2\n")
    with pytest.raises(UserError, match="has 1 hours"):
        series.load("etth1", 20, str(tmp_path))
    lines = ["Ticker,Date,Close,Adj Close"]
    lines += [f"A,{day:03},9,{2.0**day}" for day in range(100)]
    lines += [f"B,{day:03},9,{3.0 ** (day % 2)}" for day in range(100)]
    lines += [f"YOUNG,{day:03},9,1" for day in range(50, 100)]
    (tmp_path / "stocks.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    found = series.load("stocks", 5, str(tmp_path))
    assert found.names == ("A", "B") and found.train.shape == (59, 2)
    # A doubles every day, of which the logarithms' rounding is left; B goes to and fro.
    np.testing.assert_allclose(found.train[:, 0], 0, atol=0.02)
    np.testing.assert_allclose(np.abs(found.train[:, 1]), 1, atol=0.05)
    with pytest.raises(UserError, match="is installed and reads no files"):
        series.load("google", 20, str(tmp_path))
