"""Looks at codes show what they say."""

import numpy as np
import pytest

from dljax import Arrays, EvalSet
from dljax.analysis.codes import (
    Activity,
    Alarm,
    Alike,
    Fields,
    Plane,
    Probe,
    Restored,
    linear_accuracy,
)
from dljax.analysis.looks import Rows
from dljax.analysis.representation import Masked
from dljax.types import Task, Variables

NONE = Variables({}, {})


def predicting(function) -> Task:
    return Task(lambda *_: ({}, {}), {}, lambda *_: {}, lambda variables, batch: function(batch))


def images(values, label=None) -> EvalSet:
    image = np.asarray(values, np.float32).reshape(-1, 1, 2, 1)
    return EvalSet(Arrays({"image": image} | ({} if label is None else {"label": label})))


def test_an_alarm_ranks_squared_errors(key):
    """Against zeros: 1 and 8 are normal, 4 and 9 are not; 9 beats both and 4 one of them."""
    look = Alarm(
        predicting(lambda b: 0 * b["image"]), images([[1, 0], [2, 2]]), images([[2, 0], [0, 3]])
    )
    found = look(NONE, key)
    assert found == {"auroc": 0.75, "normal": 4.5, "anomalies": 6.5}


def test_activity_by_hand(key):
    code = predicting(lambda b: b["image"].reshape(-1, 2))
    found = Activity(code, images([[-1.0, 0.05], [0.0, 0.15]]))(NONE, key)
    np.testing.assert_allclose(found["mean"], 0.3, rtol=1e-6)
    assert found["active"] == 0.5


def test_a_probe_sees_what_a_line_separates(key):
    """XOR: no line separates the raw corners, one does the product of coordinates about 1/2."""
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 5)
    data = images(corners, (corners.sum(1) == 1).astype(np.int32))
    codes = predicting(lambda b: (b["image"][:, 0, :1, 0] - 0.5) * (b["image"][:, 0, 1:, 0] - 0.5))
    found = Probe(codes, data, data)(NONE, key)
    assert found["accuracy"] == 1.0 and found["raw"] <= 0.75
    # The scale of a feature does not matter.
    x, label = np.random.default_rng(0).normal(size=(2, 40, 3)), np.arange(40) % 2
    assert linear_accuracy(x[0], label, x[1], label) == linear_accuracy(
        1e4 * x[0], label, 1e4 * x[1], label
    )


def test_rows_of_clean_spoiled_and_restored(key):
    model = predicting(lambda b: 1 - b["image"])
    out = Restored(model, lambda image, key: image / 2, images([[0.0, 0.5]]), 1, 1)(NONE, key)
    np.testing.assert_allclose(out[1::2, 1:3], [[0, 0.5], [0, 0.25], [1, 0.75]])


def test_fields_are_the_largest_units_weights_upright(key):
    kernel = np.array([[0.2, 1.0], [0.0, 0.0], [0.0, -0.5], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    look = Fields(shape=(2, 3), n=1)
    out = look(Variables({"model": {"encoder_0": {"kernel": kernel}}}, {}), key)[::2, ::2]
    np.testing.assert_allclose(out[1:3, 1:4], [[1, 0.5, 0.25], [0.5, 0.5, 0.5]])


@pytest.mark.parametrize("classes", [2, 3])
def test_the_plane_has_a_color_for_each_class(key, classes):
    code = predicting(lambda b: b["image"].reshape(-1, 2))
    data = images(np.eye(2)[np.arange(6) % 2], np.arange(6) % classes)
    shown = Plane(code, data)(NONE, key)
    colors = [(31, 119, 180), (255, 127, 14), (44, 160, 44)]  # matplotlib's first three
    seen = [bool((shown == color).all(-1).any()) for color in colors]
    assert seen == [True, True, classes == 3]


def test_alike_are_the_directions_nearest_to_an_image_s_own(key):
    """Of (1, .5) the nearest is (.4, .2), of whatever length; then (.1, .1)."""
    known, asked = images([[0.1, 1.0], [0.4, 0.2], [0.1, 0.1]]), images([[1.0, 0.5]])
    out = Alike(predicting(lambda b: b["image"]), known, asked, columns=3, enlarge=1)(NONE, key)
    np.testing.assert_allclose(
        out[1, [4, 5, 7, 8, 10, 11]], [0.4, 0.2, 0.1, 0.1, 0.1, 1.0], rtol=1e-6
    )


def test_a_probe_beside_a_network_that_was_not_trained(key):
    """Trained, the code is the class; untrained it is the other pixel, which says nothing."""
    image = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    label = (image[:, 0] > 0).astype(np.int32)
    data = images(image, label)
    at = predicting(None)._replace(
        predict=lambda variables, batch: batch["image"][:, 0, variables.params["at"], 0][:, None]
    )

    def init(key, batch):
        assert "label" in batch
        return {"at": np.int32(1)}, {}

    found = Probe(at, data, data, init=init)(Variables({"at": np.int32(0)}, {}), key)
    assert found["accuracy"] > 0.95 > 0.7 > found["untrained"]
    best = max(found["raw"], found["untrained"])
    np.testing.assert_allclose(found["gain"], found["accuracy"] - best, atol=1e-12)


def test_rows_of_what_a_network_is_given(key):
    """Masked: what is hidden is gray, what is restored 1, above the truth."""
    image = np.float32([[0.25, 0.75], [0.0, 1.0]]).reshape(2, 1, 2, 1)
    data = EvalSet(Arrays({"image": image, "second": 1 - image}))
    out = Rows(data, ("image", "second"), n=2, enlarge=1)(NONE, key)
    np.testing.assert_allclose(out[1::2, [1, 2, 4, 5]], [[0.25, 0.75, 0, 1], [0.75, 0.25, 1, 0]])

    def fill(variables, image, key):
        return 0 * image + 0.5, 0 * image + 1

    out = Masked(fill, data, n=1, enlarge=1)(NONE, key)
    np.testing.assert_allclose(out[1::2, [1, 2]], [[0.5, 0.5], [1, 1], [0.25, 0.75]])
