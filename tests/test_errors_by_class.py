"""Errors by class and group, by hand and against scikit-learn."""

import jax
import numpy as np
import pytest
from sklearn import metrics

from dljax import Arrays, EvalSet
from dljax.analysis import charts
from dljax.analysis import errors_by_class as by_class
from dljax.errors import UserError
from dljax.types import Task

LABEL = np.array([0, 0, 0, 1, 1, 2])
GUESS = np.array([0, 0, 1, 1, 0, 2])
COUNTS = [[2, 1, 0], [1, 1, 0], [0, 0, 1]]


def test_a_confusion_matrix_by_hand():
    found = by_class.confusion(LABEL, GUESS, 3)
    np.testing.assert_array_equal(found, COUNTS)
    assert np.issubdtype(found.dtype, np.integer)


def test_confusion_and_f1_are_scikit_learns():
    rng = np.random.default_rng(0)
    label, guess = rng.integers(0, 6, (2, 300))
    guess = np.where(rng.random(300) < 0.5, label, guess)
    counts = by_class.confusion(label, guess, 8)  # two classes never occur
    np.testing.assert_array_equal(counts[:6, :6], metrics.confusion_matrix(label, guess))
    each = metrics.f1_score(label, guess, average=None)
    np.testing.assert_allclose(by_class.f1(counts)[:6], each, rtol=1e-12)
    assert np.isnan(by_class.f1(counts)[6:]).all()
    expected = metrics.f1_score(label, guess, average="macro")
    np.testing.assert_allclose(by_class.f1_macro(counts), expected, rtol=1e-12)


def test_f1_by_hand():
    np.testing.assert_allclose(by_class.f1(COUNTS), [4 / 6, 2 / 4, 1.0])


@pytest.mark.parametrize("label, guess", [([0, 3], [0, 0]), ([0, 1], [0, -1])])
def test_what_is_no_class_is_one_line(label, guess):
    with pytest.raises(UserError, match="expected classes 0 to 2"):
        by_class.confusion(label, guess, 3)


def test_groups_by_hand():
    right = [True, True, False, False, True]
    found = by_class.by_group(right, ["wet", "dry", "wet", "wet", "dry"])
    assert list(found.group) == ["dry", "wet"] and list(found.size) == [2, 3]
    np.testing.assert_allclose(found.accuracy, [1.0, 1 / 3])
    pairs = by_class.by_group(right, [[0, 1], [0, 0], [0, 1], [2, 1], [0, 0]])
    np.testing.assert_array_equal(pairs.group, [[0, 0], [0, 1], [2, 1]])
    np.testing.assert_allclose(pairs.accuracy, [1.0, 0.5, 0.0])
    worst = pairs.worst(2)
    np.testing.assert_array_equal(worst.group, [[2, 1], [0, 1]])
    assert list(pairs.worst(5, least=2).accuracy) == [0.5, 1.0]


def test_scores():
    found = by_class.scores({"label": LABEL}, np.eye(3)[GUESS])
    assert found == pytest.approx({"f1": (4 / 6 + 1 / 2 + 1) / 3, "worst": 0.5})


def classifier():
    task = Task(
        lambda *_: ({}, {}), {}, lambda *_: {}, lambda v, batch: jax.nn.one_hot(batch["image"], 3)
    )
    arrays = {"image": GUESS, "label": LABEL, "side": np.array([0, 1, 1, 1, 1, 1])}
    return task, EvalSet(Arrays(arrays))


def test_tables_are_worst_first():
    task, data = classifier()
    text = by_class.ByClass(task, data, ["cat", "dog", "T-shirt/top"])(None, None)
    assert text == (
        "class        n  accuracy      F1  most taken for\n"
        "dog          2    0.5000  0.5000         cat (1)\n"
        "cat          3    0.6667  0.6667         dog (1)\n"
        "T-shirt/top  1    1.0000  1.0000               -\n"
    )
    groups = by_class.ByGroup(task, data, "side")(None, None)
    assert groups == "side  n  accuracy\n1     5    0.6000\n0     1    1.0000\n"
    with pytest.raises(UserError, match="no array 'sides' in the set; did you mean 'side'"):
        by_class.ByGroup(task, data, "sides")(None, None)


def test_the_matrix_is_drawn():
    """A dark square for each class that is always right."""

    def dark(counts):
        return (charts.confusion(counts).max(-1) < 120).sum()

    half = 5 * np.eye(4)
    half[2:] = 5  # two classes are guessed at random: a quarter of full color
    assert 1.5 < dark(5 * np.eye(4)) / dark(half) < 2.5
    task, data = classifier()
    picture = by_class.Confusion(task, data, ["cat", "dog", "T-shirt/top"])(None, None)
    assert picture.dtype == np.uint8 and picture.shape[2] == 3 and picture.std() > 1


def test_quarters_of_brightness_by_hand():
    """Two of eight in each quarter, the first bound three quarters of the way from 0.2 to 0.24."""
    mean = np.array([0.1, 0.2, 0.24, 0.3, 0.4, 0.5, 0.7, 0.9])
    order = [5, 0, 7, 2, 1, 6, 3, 4]
    image = mean[order][:, None, None, None] * np.ones((1, 2, 3, 1))
    found = by_class.by_brightness(image)
    names = ["0.100 to 0.230", "0.230 to 0.350", "0.350 to 0.550", "0.550 to 0.900"]
    assert [names.index(name) for name in found] == [i // 2 for i in order]
    assert set(by_class.by_brightness(np.ones((5, 2, 2, 1)), parts=3)) == {"1.000 to 1.000"}
