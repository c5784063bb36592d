"""Embedded datasets have the contents and the splits that they document."""

import numpy as np
import pytest

from dljax.data.datasets import digit_graph, digits, photos, shakespeare, topics
from dljax.errors import UserError

# The first image of scikit-learn's digits, a 0, and the labels of its first ten.
ZERO = [
    [0, 0, 5, 13, 9, 1, 0, 0],
    [0, 0, 13, 15, 10, 15, 5, 0],
    [0, 3, 15, 2, 0, 11, 8, 0],
    [0, 4, 12, 0, 0, 8, 8, 0],
    [0, 5, 8, 0, 0, 9, 8, 0],
    [0, 4, 11, 0, 1, 12, 7, 0],
    [0, 2, 14, 5, 10, 12, 0, 0],
    [0, 0, 6, 13, 10, 0, 0, 0],
]


def test_digits_are_scikit_learns():
    """Levels of 16 as levels of 255; every fifth image is a test image."""
    train, test = digits.load(size=8)
    assert (len(train), len(test)) == (1438, 359)
    np.testing.assert_array_equal(
        train.arrays["image"][0, ..., 0], np.floor(np.array(ZERO) * 255 / 16 + 0.5)
    )
    assert train.arrays["label"][:8].tolist() == [0, 1, 2, 3, 5, 6, 7, 8]
    assert test.arrays["label"][:2].tolist() == [4, 9]
    assert not {x.tobytes() for x in test.arrays["image"]} & {
        x.tobytes() for x in train.arrays["image"]
    }


def test_digits_are_enlarged_along_straight_lines():
    """From 8 to 15 pixels every second is an old one, and the rest are means of two neighbors."""
    levels = np.zeros((1, 8, 8), np.float32)
    levels[0, :2, :2] = [[0, 16], [8, 4]]
    out = digits._enlarged(levels, 15)[0, :3, :3, 0]
    expected = np.array([[0, 8, 16], [4, 7, 10], [8, 6, 4]]) * 255 / 16
    np.testing.assert_array_equal(out, np.floor(expected + 0.5))
    assert digits._enlarged(np.full((1, 8, 8), 16, np.float32), 28).min() == 255


def test_patches_are_windows_of_the_photographs():
    photo = photos.photographs()
    assert photo.shape == (2, 427, 640, 3)
    train, test = photos.load(size=32)
    # 427 - 31 rows of 480 - 31 columns; the right quarter begins at column 480 and has 160 - 31.
    assert (len(train), len(test)) == (2 * 396 * 449, 2 * 396 * 129)
    for source, columns, left in ((train, 449, 0), (test, 129, 480)):
        where = [(0, 0, 0), (0, 5, 7), (1, 395, columns - 1)]
        got = source.gather(np.array([(p * 396 + r) * columns + c for p, r, c in where]))
        assert got["photo"].tolist() == [0, 0, 1]
        for image, (p, r, c) in zip(got["image"], where, strict=True):
            expected = photo[p, r : r + 32, left + c : left + c + 32]
            np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("size", [0, 161])
def test_patches_that_do_not_fit(size):
    with pytest.raises(UserError, match=f"patches of {size}: expected 1 to 160 pixels"):
        photos.load(size=size)


def test_the_digits_graph_links_each_to_its_five_nearest():
    train, validation, test = digit_graph.load()
    assert [int(g.mask.sum()) for g in (train, validation, test)] == [100, 300, 1397]
    assert np.bincount(train.label[train.mask > 0]).tolist() == [10] * 10
    pixels = train.node.astype(np.float64)
    for node in (0, 700, 1796):
        distance = ((pixels - pixels[node]) ** 2).sum(1)
        distance[node] = np.inf
        nearest = set(np.argsort(distance, kind="stable")[:5].tolist())
        assert nearest <= set(train.receivers[train.senders == node].tolist())


@pytest.mark.parametrize("load", [topics.load, shakespeare.load], ids=["topics", "shakespeare"])
def test_a_tenth_of_a_text_is_held_out(load):
    text = load(fake=True)
    assert (len(text.train), len(text.validation)) == (36_000, 4_000)
