"""Two versions of an image: functions of the seed and the step, each with draws of its own."""

import io

import numpy as np
import pytest
from PIL import Image

from dljax import Arrays, Pipeline
from dljax.data import image_sets, images, versions

SEEDS = np.arange(6, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)


def photos(n: int = 6, side: int = 12) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), np.uint8)


def test_versions_are_a_function_of_seed_and_step():
    both = versions.twice(versions.distorted())
    data = Arrays({"image": photos(), "label": np.arange(6)})
    batch = Pipeline(data, 4, 3, both).batch(5)
    again = Pipeline(data, 4, 3, both).batch(5, slice(2, 4))
    for name in ("image", "second", "label"):
        np.testing.assert_array_equal(batch[name][2:], again[name])
    assert (batch["image"] != batch["second"]).any((1, 2, 3)).sum() >= 3
    other = Pipeline(data, 4, 4, both, shuffle=False).batch(0)
    assert not np.array_equal(other["image"], Pipeline(data, 4, 3, both, False).batch(0)["image"])


@pytest.mark.parametrize("size", [5, 12, 20])
def test_crops_of_arrays_are_those_of_files(size):
    """Pillow rounds to levels after each axis, so one level may differ."""
    encoded, pixels = np.empty(6, object), photos()
    for i, one in enumerate(pixels):
        raw = io.BytesIO()
        Image.fromarray(one).save(raw, "PNG")
        encoded[i] = raw.getvalue()
    crop = images.random_resized_crop(size)
    files, arrays = crop({"encoded": encoded}, SEEDS), crop({"image": pixels}, SEEDS)
    assert files["image"].dtype == arrays["image"].dtype == np.uint8
    np.testing.assert_allclose(
        arrays["image"].astype(int), files["image"].astype(int), atol=1, rtol=0
    )


def test_a_crop_mirrors_where_it_may():
    """Every row of the image is a rising ramp, and so is a crop of it, unless it is mirrored."""
    ramp = np.broadcast_to(np.arange(0, 240, 20, dtype=np.uint8)[:, None], (40, 12, 12, 1))
    seeds = np.arange(40, dtype=np.uint64)
    for flip in (True, False):
        out = images.random_resized_crop(6, flip=flip)({"image": ramp}, seeds)["image"].astype(int)
        falling = (np.diff(out[..., 0], axis=2) < 0).any((1, 2))
        assert 8 < falling.sum() < 32 if flip else not falling.any()


def test_gray_is_the_brightness_of_each_pixel():
    """0.299 red + 0.587 green + 0.114 blue, cut to whole levels."""
    out = versions.gray({"image": np.array([[[[255, 0, 0], [10, 200, 30]]]], np.uint8)}, SEEDS[:1])
    np.testing.assert_array_equal(out["image"][0, 0], [[76] * 3, [123] * 3])


def test_blur_spreads_a_point_and_keeps_a_plain():
    plain = np.full((2, 9, 9, 1), 70, np.uint8)
    blur = versions.gaussian_blur(0.4, least=1.0, most=1.0)
    np.testing.assert_array_equal(blur({"image": plain}, SEEDS[:2])["image"], plain)
    point = np.zeros((1, 9, 9, 1), np.uint8)
    point[0, 4, 4] = 255
    out = blur({"image": point}, SEEDS[:1])["image"][0, ..., 0]
    # Two pixels to either side: e^0, e^-1/2 and e^-2, by their sum of 2.483732.
    bell = np.array([0, 0, 0.054489, 0.244201, 0.402620, 0.244201, 0.054489, 0, 0])
    np.testing.assert_allclose(out, 255 * np.outer(bell, bell), atol=0.51)


@pytest.mark.parametrize("dataset, shape", [("digits", (16, 16, 1)), ("cifar10", (32, 32, 3))])
def test_sets_of_crops(dataset, shape):
    found = image_sets.crops(dataset, fake=True)
    given = found.train.gather(np.arange(3))
    for transform in (found.crop, found.distorted, found.plain):
        image = transform(given, SEEDS[:3])["image"]
        assert image.shape == (3, *shape) and image.dtype == np.float32
        assert image.min() >= 0 and image.max() <= 1
    assert found.classes == 10


def test_tones_change_the_levels_of_gray_images():
    """Most of 40 plain images get another level, of at most 1.8 times; in whatever batch."""
    plain = np.full((40, 4, 4, 1), 100, np.uint8)
    seeds = np.arange(40, dtype=np.uint64)
    out = versions.toned()({"image": plain}, seeds)["image"]
    assert out.shape == plain.shape and (out == out[:, :1, :1]).all()
    levels = out[:, 0, 0, 0].astype(int)
    assert levels.max() <= 180 and levels.min() >= 20 and 24 <= (levels != 100).sum() < 40
    np.testing.assert_array_equal(
        versions.toned()({"image": plain[3:5]}, seeds[3:5])["image"], out[3:5]
    )
