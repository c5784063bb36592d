"""The picture of a sweep, and the examples that a data-hunger curve is drawn from."""

from pathlib import Path

import numpy as np
import pytest
from refusal import refused

import dljax
from dljax import Arrays
from dljax.analysis import charts, sweeps
from dljax.data import subsets

ROOT = Path(__file__).parents[1]
LENET = str(ROOT / "experiments" / "convnets" / "lenet.py")


def row(values, **knobs):
    return {"knobs": knobs, "metrics": {"test/accuracy": {"values": values}}}


ROWS = [
    row([0.9, 0.7], n=200, width=8, norm="batch"),
    row([0.5, 0.3, float("nan")], n=20, width=8, norm="batch"),
    row([0.6], n=20, width=16, norm="batch"),
    row([], n=200, width=16, norm="batch"),
    row([0.8], n=2000, width=16, norm="batch"),
]


@pytest.fixture
def figure(monkeypatch):
    """The figure itself in place of its picture."""
    monkeypatch.setattr(charts, "_drawn", lambda figure: figure)


def test_the_number_with_most_values_is_the_axis():
    assert sweeps.abscissa(ROWS, ["norm", "width", "n"]) == "n"
    assert sweeps.abscissa(ROWS, ["norm"]) is None and sweeps.picture(ROWS, ["norm"]) is None
    flags = [row([1.0], bias=True), row([1.0], bias=False)]
    assert sweeps.abscissa(flags, ["bias"]) is None


def test_lines_and_spread(figure):
    """Mean and deviation over seeds at each number, in order; what diverged is left out."""
    (axis,) = sweeps.picture(ROWS, ["n", "width"]).axes
    lines = {line.get_label(): line for line in axis.lines if not line.get_label().startswith("_")}
    assert list(lines) == ["width 8", "width 16"]
    np.testing.assert_allclose(lines["width 8"].get_xydata(), [[20, 0.4], [200, 0.8]])
    np.testing.assert_allclose(lines["width 16"].get_xydata(), [[20, 0.6], [2000, 0.8]])
    band = axis.collections[0].get_paths()[0].vertices
    deviation = np.sqrt(0.02)  # of 0.9 and 0.7, and of 0.5 and 0.3: sqrt(2 x 0.1^2)
    assert band[:, 1].max() == pytest.approx(0.8 + deviation)
    assert band[:, 1].min() == pytest.approx(0.4 - deviation)
    assert axis.get_xlabel() == "n" and axis.get_title() == "test/accuracy"


@pytest.mark.parametrize(
    "numbers, scale",
    [((1, 9), "linear"), ((1, 10), "log"), ((0, 100), "linear"), ((-1, 99), "linear")],
)
def test_the_axis_is_logarithmic_where_numbers_span_a_decade(figure, numbers, scale):
    rows = [row([0.5], n=n) for n in numbers]
    (axis,) = sweeps.picture(rows, ["n"]).axes
    assert axis.get_xscale() == scale


def test_fewer_examples_are_trained_on_for_as_many_steps():
    experiment = dljax.load(LENET)
    whole, few = (experiment(fake=True, examples=n).phases[0] for n in (0, 30))
    assert (len(whole.data.source), len(few.data.source)) == (1438, 30)
    assert whole.steps == few.steps == round(40 * 1438 / 64) and whole.every == few.every
    assert len(whole.evals["test"].source) == len(few.evals["test"].source)


def test_a_part_of_a_set():
    source = Arrays({"image": np.arange(40.0), "label": np.arange(40)}, ("a", "b"))
    assert subsets.drawn(source, 0) is source
    few, more = (subsets.drawn(source, n, seed=3) for n in (7, 25))
    assert len(few) == 7 and few.names == ("a", "b")
    assert (
        set(few.arrays["label"]) < set(more.arrays["label"])
        and len(set(more.arrays["label"])) == 25
    )
    np.testing.assert_array_equal(more.arrays["image"], more.arrays["label"])
    assert set(subsets.drawn(source, 7, seed=4).arrays["label"]) != set(few.arrays["label"])
    whole = subsets.drawn(source, 40, seed=1)
    assert sorted(whole.arrays["label"]) == list(range(40))
    with refused("41 examples of 40", "at most as many"):
        subsets.drawn(source, 41)
    with refused("-1 examples of 40"):
        subsets.drawn(source, -1)


def test_a_part_of_a_set_that_is_not_held_in_memory():
    class OnDisk:
        names = ("a", "b")

        def __len__(self):
            return 40

        def gather(self, indices):
            return {"label": 10 * indices}

    held = Arrays({"label": 10 * np.arange(40)})
    few, same = (subsets.drawn(source, 7, seed=3) for source in (OnDisk(), held))
    assert len(few) == 7 and few.names == ("a", "b")
    at = np.array([4, 0, 6])
    np.testing.assert_array_equal(few.gather(at)["label"], same.gather(at)["label"])
