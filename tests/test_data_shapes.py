"""Drawn shapes: an image is a function of its number."""

import numpy as np

from dljax.data.datasets import shapes


def middle(image):
    """(x, y) of the white pixels' mean, in pixels."""
    down, right = np.nonzero(image[..., 0])
    return right.mean(), down.mean()


def test_every_combination_is_in_one_half():
    train, test = shapes.load(size=8)
    numbers = np.concatenate([train.numbers, test.numbers])
    np.testing.assert_array_equal(np.sort(numbers), np.arange(3 * 4 * 8 * 8 * 8))
    given = test.gather(np.arange(5))
    np.testing.assert_array_equal(shapes.number(given["factors"]), test.numbers[:5])
    np.testing.assert_array_equal(shapes.draw(given["factors"], 8), given["image"])


def test_factors_do_what_they_say():
    """A square of half the size has a quarter of the pixels; places are 0.8 of a half apart in all."""
    levels = [(0, 3, 0, 0, 7), (0, 0, 0, 0, 7), (0, 3, 0, 7, 0), (0, 3, 2, 0, 7), (0, 3, 1, 0, 7)]
    images = shapes.draw(np.array(levels), 128)
    large, small, moved, turned, slanted = images
    assert images.dtype == np.uint8 and set(np.unique(images)) == {0, 255}
    assert abs((small > 0).sum() / (large > 0).sum() - 0.25) < 0.02
    np.testing.assert_allclose(middle(large), (63.5 - 25.6, 63.5 + 25.6), atol=0.5)
    np.testing.assert_allclose(middle(moved), (63.5 + 25.6, 63.5 - 25.6), atol=0.5)
    assert np.mean(turned != large) < 0.01  # a quarter turn
    assert np.mean(slanted != large) > 0.01


def test_no_shape_is_cut_off():
    levels = np.stack(np.unravel_index(np.arange(3 * 8), (3, 8)), -1)
    corner = [(s, 3, a, x, y) for s, a in levels for x, y in ((0, 0), (7, 7), (0, 7))]
    images = shapes.draw(np.array(corner), 32)
    for side in (images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]):
        assert not side.any()


def test_a_heart_stands_on_its_tip():
    heart = shapes.draw(np.array([(2, 3, 0, 4, 4)]), 64)[0, ..., 0] > 0
    wide = heart.sum(1)[heart.any(1)]
    assert wide[0] > 2 * wide[-1]
    np.testing.assert_allclose(heart.sum(), heart[:, ::-1].sum())
