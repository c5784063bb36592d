"""Elastic deformation: a function of the seed, smooth, the same for image and label."""

import numpy as np

from dljax.data.elastic import elastic

SEEDS = np.array([3, 5], np.uint64)


def ramps(side: int = 33) -> dict[str, np.ndarray]:
    """Two images whose pixels are their own row and column, in two channels; labels are their columns."""
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    image = np.stack([rows, columns], -1)
    label = columns.astype(np.int32)
    return {"image": np.stack([image, image]), "label": np.stack([label, label])}


def test_nothing_moves_at_a_deviation_of_zero():
    given = ramps()
    moved = elastic(0.0)(given, SEEDS)
    np.testing.assert_array_equal(moved["label"], given["label"])
    np.testing.assert_allclose(moved["image"], given["image"], atol=1e-5)


def test_image_and_label_move_together():
    """A ramp deformed is where each pixel came from; labels are the nearest pixel's, a half away at most."""
    moved = elastic(1.5)(ramps(), SEEDS)
    difference = moved["image"][..., 1] - moved["label"]
    assert np.abs(difference[:, 6:-6, 6:-6]).max() <= 0.5 + 1e-5
    by = moved["image"] - ramps()["image"]
    assert not np.array_equal(by[0], by[1])  # each row by its own seed
    again = elastic(1.5)({name: x[1:] for name, x in ramps().items()}, SEEDS[1:])
    np.testing.assert_array_equal(again["image"][0], moved["image"][1])


def test_displacements_have_the_deviation_at_the_grid_s_points():
    """At the image's middle, which is a grid point, over 400 draws; four standard errors of a deviation."""
    n = 400
    seeds = np.arange(n, dtype=np.uint64)
    image = np.repeat(ramps()["image"][:1], n, 0)
    moved = elastic(2.0)({"image": image}, seeds)["image"]
    by = moved[:, 16, 16] - 16.0
    assert abs(by.std() - 2.0) < 4 * 2.0 / np.sqrt(2 * by.size)
    # Smooth: neighbors move alike, where displacements apart would differ by the deviation.
    assert np.abs(np.diff(moved[:, 8:-8, 8:-8, 0] - image[:, 8:-8, 8:-8, 0], axis=2)).max() < 1.0
