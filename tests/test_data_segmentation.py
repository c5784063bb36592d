"""Images with a label for every pixel: collages of digits, and ISBI's slices."""

import numpy as np
import pytest
from PIL import Image

from dljax.data.datasets import digit_collages, isbi
from dljax.errors import UserError


def test_collages_are_the_same_every_time():
    (first, test), (second, _) = (digit_collages.load(fake=True) for _ in range(2))
    np.testing.assert_array_equal(first.arrays["image"], second.arrays["image"])
    assert (first.arrays["image"][:40] != test.arrays["image"]).any()
    assert 0 <= first.arrays["label"].min() and first.arrays["label"].max() == 10


def test_crops_turn_image_and_label_together():
    row = np.arange(6 * 6, dtype=np.int32).reshape(1, 6, 6).repeat(64, 0)
    seeds = np.arange(64, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    out = isbi.crops(4)({"image": row[..., None], "label": row}, seeds)
    np.testing.assert_array_equal(out["image"][..., 0], out["label"])
    assert len({tuple(x.ravel()) for x in out["label"]}) > 20  # 9 windows x 8 orientations
    with pytest.raises(UserError, match="crops of 7"):
        isbi.crops(7)({"image": row[..., None], "label": row}, seeds)


def test_crops_lie_in_eight_orientations_alike():
    """Of a whole slice, the rows and columns of a square's eight symmetries."""
    square = np.arange(4, dtype=np.int32).reshape(2, 2)
    found = isbi.crops(2)({"label": square[None].repeat(4000, 0)}, np.arange(4000, dtype=np.uint64))
    symmetries = [
        [[0, 1], [2, 3]],
        [[1, 3], [0, 2]],
        [[3, 2], [1, 0]],
        [[2, 0], [3, 1]],
        [[1, 0], [3, 2]],
        [[3, 1], [2, 0]],
        [[2, 3], [0, 1]],
        [[0, 2], [1, 3]],
    ]
    counts = [(found["label"] == np.array(x)).all((1, 2)).sum() for x in symmetries]
    # 500 of each, with a deviation of sqrt(4000 * 1/8 * 7/8) = 21. Five of them.
    assert sum(counts) == 4000 and np.abs(np.array(counts) - 500).max() < 5 * 21


def test_slices_that_are_not_there_are_said_at_once():
    with pytest.raises(UserError, match="--fake true"):
        isbi.load(data="/nowhere")


def slices(folder, labels):
    """A folder of ISBI slices with these labels: arrays [h, w] of uint8."""
    for kind in ("image", "label"):
        (folder / kind).mkdir()
        for i, label in enumerate(labels):
            Image.fromarray(label).save(folder / kind / f"{i}.png")
    return str(folder)


def test_labels_of_slices(tmp_path):
    """Of 0 and 255, where one slice may be all of one kind."""
    half, cell = np.zeros((8, 8), np.uint8), np.full((8, 8), 255, np.uint8)
    half[:4] = 255
    train, test = isbi.load(data=slices(tmp_path, [half, cell, cell]))
    np.testing.assert_array_equal(train.arrays["label"], [half == 255, cell == 255])
    assert train.arrays["label"].dtype == np.int32 and test.arrays["label"].all()


@pytest.mark.parametrize(
    "values, told",
    [((0, 1), "label/0.png holds the value 1"), ((0, 128, 255), "0.png holds the value 128")]
    + [((v,), f"hold {v} alone") for v in (0, 255)],
)
def test_labels_that_do_not_say_cell_or_membrane_are_refused(values, told, tmp_path):
    label = np.resize(np.uint8(values), (8, 8))
    with pytest.raises(UserError, match=f"{told}.*0 \\(membrane\\).* 255 \\(cell\\)"):
        isbi.load(data=slices(tmp_path, [label] * 3))
