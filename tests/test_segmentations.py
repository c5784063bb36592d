"""Tiles, boundaries and what is drawn of a segmentation."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from dljax import EvalSet
from dljax.analysis.boundaries import boundary, boundary_f1
from dljax.analysis.segmentations import Outlines, SegmentationScores, Segmenter
from dljax.analysis.tiles import overlap_tiles
from dljax.data import Arrays
from dljax.errors import UserError
from dljax.types import Task, Variables


@pytest.mark.parametrize("h, w, batch", [(20, 13, 3), (7, 7, 1), (12, 12, 5)])
def test_tiles_equal_the_whole_where_the_margin_covers_what_a_pixel_sees(h, w, batch):
    """Sums over 5x5 pixels see two to each side; the whole is summed over its mirrored image."""
    image = np.random.default_rng(0).normal(size=(h, w, 2)).astype(np.float32)
    calls = []

    def function(images):
        calls.append(images.shape)
        return np.stack([ndimage.uniform_filter(x, (5, 5, 0), mode="constant") for x in images])

    whole = ndimage.uniform_filter(image, (5, 5, 0), mode="reflect")
    np.testing.assert_allclose(overlap_tiles(function, image, 8, 2, batch), whole, atol=1e-5)
    assert set(calls) == {(batch, 8, 8, 2)}
    assert np.abs(overlap_tiles(function, image, 8, 0, batch) - whole).max() > 0.1


@pytest.mark.parametrize("tile, margin", [(8, 4), (8, -1), (40, 12)])
def test_tiles_of_which_nothing_is_left(tile, margin):
    with pytest.raises(UserError, match="expected a margin from 0 to"):
        overlap_tiles(lambda x: x, np.zeros((12, 12, 1)), tile, margin)


def test_boundary_by_hand():
    label = np.array([[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]])
    expected = np.array([[0, 0, 1, 1], [0, 1, 1, 1], [0, 1, 1, 0]], bool)
    np.testing.assert_array_equal(boundary(label), expected)


def test_boundary_f1_of_a_shifted_edge():
    """Edges two columns wide, three apart: 1 of 2 within two pixels on each side, all within three."""
    at = np.arange(20)
    label, guess = (np.tile(at >= edge, (9, 1)).astype(int) for edge in (8, 11))
    assert boundary_f1(label, label) == 1.0
    assert boundary_f1(guess, label, 1.0) == 0.0
    assert boundary_f1(guess, label, 2.0) == pytest.approx(0.5)
    assert boundary_f1(guess, label, 3.0) == pytest.approx(1.0)


def test_boundary_f1_weighs_precision_and_recall():
    """A guess with the true edge and another one far away: precision 1/2, recall 1."""
    at = np.arange(40)
    label = np.tile(at >= 8, (9, 1)).astype(int)
    guess = label ^ np.tile(at >= 30, (9, 1))
    assert boundary_f1(guess, label) == pytest.approx(2 / 3)
    assert boundary_f1(label, guess) == pytest.approx(2 / 3)


@pytest.mark.parametrize("guess, expected", [(0, 1.0), (1, 1.0), (None, 0.0)])
def test_boundary_f1_without_a_boundary(guess, expected):
    flat = np.zeros((6, 6), int)
    other = np.triu(np.ones((6, 6), int)) if guess is None else np.full((6, 6), guess)
    assert boundary_f1(other, flat) == expected


def _task() -> Task:
    """Logits that are the image and its negative: class 0 where the image is above 0."""
    return Task(
        init=lambda key, batch: ({}, {}),
        losses={},
        evaluate=lambda *given: {},
        predict=lambda variables, batch: jnp.concatenate([batch["image"], -batch["image"]], -1),
    )


def test_what_is_drawn_and_scored(key):
    """A guess whose edge is one column right of the truth: red, yellow where both, green."""
    at = np.arange(12)
    image = np.tile(np.where(at < 6, 1.0, -1.0), (12, 1)).astype(np.float32)[None, ..., None]
    label = np.tile(at >= 5, (12, 1)).astype(np.int32)[None]
    data = EvalSet(Arrays({"image": image, "label": label}))
    nothing = Variables({}, {})
    for segmenter in (Segmenter(_task(), data), Segmenter(_task(), data, tile=8, margin=1)):
        picture = Outlines(segmenter)(nothing, key)[1:-1, 1:-1]
        assert [tuple(x) for x in picture[4, 4:7]] == [(0, 1, 0), (1, 1, 0), (1, 0, 0)]
        scores = SegmentationScores(segmenter, tolerance=0.5)(nothing, key)
        # 5 of 6 columns of class 0 and 6 of 7 of class 1; of two columns of edge one is met.
        assert scores["iou"] == pytest.approx((5 / 6 + 6 / 7) / 2)
        assert scores["dice"] == pytest.approx((10 / 11 + 12 / 13) / 2)
        assert scores["boundary_f1"] == pytest.approx(0.5)
