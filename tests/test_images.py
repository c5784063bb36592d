"""Images are read as people see them, and nets are fed the channels in the papers' order."""

import io

import numpy as np
import pytest
from PIL import Image

from dljax.data import images, transforms
from dljax.data.sources import formats
from dljax.errors import UserError

SEED = np.zeros(1, np.uint64)


def encoded(image, kind="PNG", **options) -> dict:
    """A batch of one file."""
    raw = io.BytesIO()
    image.save(raw, kind, **options)
    files = np.empty(1, object)
    files[0] = raw.getvalue()
    return {"encoded": files, "label": np.zeros(1, np.int32)}


def from_file(tmp_path, image, channels, kind="PNG", **options) -> np.ndarray:
    """The image as the readers that hold a set in memory have it."""
    path = tmp_path / f"image.{kind.lower()}"
    image.save(path, kind, **options)
    return formats.read_image(path, channels)


def from_bytes(tmp_path, image, channels, kind="PNG", **options) -> np.ndarray:
    """The image as a set on disk has it: its bytes, then a crop that leaves all."""
    side = image.width
    assert image.height == side
    batch = images.center_crop(side, 1.0)(encoded(image, kind, **options), SEED)
    return batch["image"][0][..., :channels]  # of gray, all channels are the same


WAYS = pytest.mark.parametrize("read", [from_file, from_bytes], ids=["file", "bytes"])
CHANNELS = pytest.mark.parametrize("channels", [1, 3])


def colored(*rows) -> Image.Image:
    return Image.fromarray(np.array(rows, np.uint8))


# Files


@WAYS
@CHANNELS
def test_16_bits_are_scaled_to_8(read, channels, tmp_path):
    levels = np.array([[0, 128, 129], [257, 32768, 65535], [25700, 65406, 65407]], np.uint16)
    out = read(tmp_path, Image.fromarray(levels), channels)
    # v / 257, to the nearest: 129 is just above a half, 65406 just below 254 and a half
    expected = [[0, 0, 1], [1, 128, 255], [100, 254, 255]]
    assert out.dtype == np.uint8 and out.shape == (3, 3, channels)
    for channel in np.moveaxis(out, -1, 0):
        np.testing.assert_array_equal(channel, expected)


def test_16_bits_as_older_pillows_open_them():
    wide = Image.fromarray(np.array([[0, 65535]], np.int32))
    assert wide.mode == "I"
    assert np.asarray(formats._shallow(wide)).tolist() == [[0, 255]]


RED, GREEN, BLUE, WHITE = [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]
# As the camera holds it, by orientation (EXIF 2.3, table 6): the scene is red green above blue white.
STORED = {
    1: ([RED, GREEN], [BLUE, WHITE]),
    2: ([GREEN, RED], [WHITE, BLUE]),  # mirrored
    3: ([WHITE, BLUE], [GREEN, RED]),  # upside down
    4: ([BLUE, WHITE], [RED, GREEN]),  # mirrored upside down
    5: ([RED, BLUE], [GREEN, WHITE]),  # rows are columns
    6: ([GREEN, WHITE], [RED, BLUE]),  # to be turned clockwise
    7: ([WHITE, GREEN], [BLUE, RED]),
    8: ([BLUE, RED], [WHITE, GREEN]),  # to be turned counterclockwise
}


@WAYS
@pytest.mark.parametrize("orientation", STORED)
def test_images_are_turned_as_their_camera_says(read, orientation, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = read(tmp_path, colored(*STORED[orientation]), 3, exif=exif)
    np.testing.assert_array_equal(out, STORED[1])


def test_a_photo_is_turned_whose_sides_differ(tmp_path):
    """A JPEG of 16 x 8, to be turned clockwise: its left half, which is black, becomes the top."""
    stored = np.zeros((8, 16, 3), np.uint8)
    stored[:, 8:] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    out = from_file(tmp_path, Image.fromarray(stored), 3, "JPEG", exif=exif, quality=100)
    assert out.shape == (16, 8, 3)
    assert out[:8].max() < 10 and out[8:].min() > 245  # blocks of one color: a few levels of 255


def test_damaged_exif_leaves_the_image_as_it_lies(tmp_path):
    out = from_file(tmp_path, colored([RED, GREEN]), 3, exif=b"Exif\0\0nothing of the kind")
    np.testing.assert_array_equal(out, [[RED, GREEN]])


@WAYS
@CHANNELS
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "RGB"])
def test_what_is_transparent_is_white(mode, read, channels, tmp_path):
    """Hidden under it there is black; what is opaque, 90 of 255, stays as it is."""
    gray, alpha = np.uint8([[0, 90], [90, 0]]), np.uint8([[0, 255], [255, 0]])
    image = Image.merge("LA", [Image.fromarray(gray), Image.fromarray(alpha)])
    options = {}
    if mode in ("L", "RGB"):  # one value stands for transparent
        image = Image.fromarray(gray).convert(mode)
        options = {"transparency": 0 if mode == "L" else (0, 0, 0)}
    elif mode == "P":
        image = Image.fromarray(gray // 90)
        image.putpalette([0, 0, 0, 90, 90, 90])
        options = {"transparency": 0}
    else:
        image = image.convert(mode)
    out = read(tmp_path, image, channels, **options)
    for channel in np.moveaxis(out, -1, 0):
        np.testing.assert_array_equal(channel, [[255, 90], [90, 255]])


def test_half_transparent_is_half_white(tmp_path):
    out = from_file(tmp_path, Image.new("RGBA", (1, 1), (255, 0, 0, 128)), 3)
    np.testing.assert_array_equal(out, [[[255, 127, 127]]])  # 255 * (1 - 128 / 255)


def test_the_transparent_value_of_16_bits(tmp_path):
    image = Image.fromarray(np.array([[257, 514]], np.uint16))
    image.info["transparency"] = 257
    assert np.asarray(formats._shallow(image)).tolist() == [[255, 2]]


@CHANNELS
def test_opaque_images_are_as_they_were(channels, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    image = Image.fromarray(pixels)
    plain = from_file(tmp_path, image, channels)
    np.testing.assert_array_equal(from_file(tmp_path, image.convert("RGBA"), channels), plain)
    if channels == 3:
        np.testing.assert_array_equal(plain, pixels)
    else:  # ITU-R 601-2, as pillow documents it
        luma = pixels @ [0.299, 0.587, 0.114]
        assert np.abs(plain[..., 0] - luma).max() <= 0.5 + 1e-3  # its weights have 16 bits


def test_floating_point_pixels_are_refused(tmp_path):
    path = tmp_path / "image.tiff"
    Image.fromarray(np.zeros((2, 2), np.float32)).save(path)
    with pytest.raises(UserError, match="floating-point pixels, expected 8 or 16 bits"):
        formats.read_image(path, 1)


# Transforms, by hand


@pytest.mark.parametrize("pad, flip, seen", [(0, False, 1), (0, True, 2), (1, False, 3 * 3)])
def test_crops_are_mirrored_where_they_may_be(pad, flip, seen):
    """Of one image, so many different crops: 3 x 3 places where a pixel is added around it."""
    image = np.arange(1, 10, dtype=np.uint8).reshape(1, 3, 3, 1).repeat(200, 0)
    out = images.pad_crop_flip(pad, flip=flip)({"image": image}, np.arange(200, dtype=np.uint64))
    assert len({x.tobytes() for x in out["image"]}) == seen


def test_standardize_a_red_image():
    """(pixel - mean) / deviation with the figures of every ImageNet paper, red first."""
    red = np.uint8(RED).reshape(1, 1, 1, 3)
    out = images.standardize()({"image": red}, SEED)["image"][0, 0, 0]
    expected = [(1 - 0.485) / 0.229, (0 - 0.456) / 0.224, (0 - 0.406) / 0.225]
    np.testing.assert_allclose(out, expected, rtol=1e-6)  # float32
    assert out.dtype == np.float32


def test_unit_and_signed():
    levels = np.uint8([0, 51, 255]).reshape(1, 1, 3, 1)
    np.testing.assert_allclose(
        transforms.unit({"image": levels}, SEED)["image"].ravel(), [0, 0.2, 1], rtol=1e-6
    )
    np.testing.assert_allclose(
        transforms.signed({"image": levels}, SEED)["image"].ravel(), [-1, -0.6, 1], rtol=1e-6
    )


CROPS = {"center": images.center_crop(4), "random": images.random_resized_crop(4)}


@pytest.mark.parametrize("crop", CROPS.values(), ids=CROPS)
@pytest.mark.parametrize("color", [RED, GREEN, BLUE, [10, 20, 30]], ids=str)
def test_crops_keep_the_channels_order(crop, color):
    batch = crop(encoded(Image.new("RGB", (20, 12), tuple(color))), SEED)
    np.testing.assert_array_equal(batch["image"], np.full((1, 4, 4, 3), color))
    assert batch["label"].tolist() == [0] and set(batch) == {"image", "label"}


def columns_of(width: int, height: int) -> Image.Image:
    """An image whose red is its column, and green its row, times ten."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = 10 * np.arange(width), 10 * np.arange(height)[:, None]
    return Image.fromarray(pixels)


def test_the_center_crop_is_the_middle():
    """Of 16 x 8 half the shorter side: columns 6 to 9, rows 2 to 5, pixel for pixel."""
    batch = images.center_crop(4, 0.5)(encoded(columns_of(16, 8)), SEED)
    np.testing.assert_array_equal(batch["image"][0, 0, :, 0], [60, 70, 80, 90])
    np.testing.assert_array_equal(batch["image"][0, :, 0, 1], [20, 30, 40, 50])


def test_the_center_crop_of_evaluation_leaves_an_eighth_of_the_side():
    """7/8 of 16: columns and rows 1 to 14."""
    batch = images.center_crop(14)(encoded(columns_of(16, 16)), SEED)
    np.testing.assert_array_equal(batch["image"][0, 0, :, 0], 10 * np.arange(1, 15))
    np.testing.assert_array_equal(batch["image"][0, :, 0, 1], 10 * np.arange(1, 15))


@pytest.mark.parametrize(
    "draws, left, width, top, height",
    [
        # A quarter of 16 x 16 and square is 8 x 8; x and y say where between 0 and 8 it begins.
        ({"area": 0.25}, 0, 8, 0, 8),
        ({"area": 0.25, "x": 0.5, "y": 0.25}, 4, 8, 2, 8),
        ({"area": 1.0, "x": 0.9}, 0, 16, 0, 16),
        ({"area": 0.0625}, 0, 4, 0, 4),
        # Aspect 4/3, of 192 pixels: 16 wide and 12 high; and 3/4.
        ({"area": 0.75, "aspect": 1.0, "y": 0.5}, 0, 16, 2, 12),
        ({"area": 0.75, "aspect": 0.0, "x": 0.5}, 2, 12, 0, 16),
        # Of all 256 pixels it would be 18.5 wide: cut to the image.
        ({"aspect": 1.0}, 0, 16, 0, 256 / 18.475),
    ],
)
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_random_crop_is_the_window_that_was_drawn(
    draws, left, width, top, height, mirrored, monkeypatch
):
    draws = {"area": 1.0, "aspect": 0.5, "x": 0.0, "y": 0.0, "flip": 0.5 - mirrored / 2} | draws
    monkeypatch.setattr(images, "uniform", lambda seeds, name: np.full(len(seeds), draws[name]))
    raw = encoded(columns_of(16, 16))
    (out,) = images.random_resized_crop(64, least_area=0.0)(raw, SEED)["image"]
    # Pixel i of 64 has its center at (i + 1/2) / 64 of the window; bilinear values of a ramp are its own.
    at = (np.arange(64) + 0.5) / 64
    columns = np.clip(10 * (left + at * width - 0.5), 0, 150)
    rows = np.clip(10 * (top + at * height - 0.5), 0, 150)
    columns = columns[::-1] if mirrored else columns
    # Rounded once along each axis.
    np.testing.assert_allclose(out[..., 0], np.broadcast_to(columns, (64, 64)), atol=1)
    np.testing.assert_allclose(out[..., 1], np.broadcast_to(rows[:, None], (64, 64)), atol=1)


def test_the_random_crops_least_area(monkeypatch):
    """8 % of 50 x 50 pixels are 200, a side of 14.14: sampled at 14 pixels, 14.14 / 14 * 10 apart."""
    monkeypatch.setattr(
        images, "uniform", lambda seeds, name: np.array([{"aspect": 0.5, "flip": 1}.get(name, 0)])
    )
    pixels = np.repeat(np.arange(50, dtype=np.uint8)[None] * 5, 50, 0)
    (out,) = images.random_resized_crop(14)(encoded(Image.fromarray(pixels)), SEED)["image"]
    # Centers of the first and last pixel, 0.505 and 13.637, are at 0.005 and 13.137 in pixels' numbers.
    np.testing.assert_allclose(out[0, [0, -1], 0], [0.03, 65.7], atol=1)  # rounded, bilinear


def test_the_random_crops_areas_lie_between_the_least_and_the_whole(monkeypatch):
    """Halfway from 28 % to all of 50 x 50 pixels are 64 %: 40 x 40, pixel for pixel."""
    draws = {"area": 0.5, "aspect": 0.5, "x": 0.0, "y": 0.0, "flip": 1.0}
    monkeypatch.setattr(images, "uniform", lambda seeds, name: np.full(len(seeds), draws[name]))
    pixels = np.random.default_rng(0).integers(0, 256, (50, 50, 3), np.uint8)
    raw = encoded(Image.fromarray(pixels))
    (out,) = images.random_resized_crop(40, least_area=0.28)(raw, SEED)["image"]
    np.testing.assert_array_equal(out, pixels[:40, :40])


# Resizing


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("old, new", [((28, 28), 32), ((32, 32), 96), ((21, 40), 13), ((5, 3), 1)])
def test_resized_as_pillow_does(old, new, channels):
    """Up to a level where a half is rounded: its weights are multiples of 2^-22."""
    image = np.random.default_rng(0).integers(0, 256, (2, *old, channels), np.uint8)
    found = images.resize(new)({"image": image, "label": SEED}, SEED)
    assert found["image"].dtype == np.uint8 and found["label"] is SEED
    for one, out in zip(image, found["image"], strict=True):
        shown = Image.fromarray(one.squeeze(-1) if channels == 1 else one)
        expected = np.asarray(shown.resize((new, new), Image.Resampling.BILINEAR))
        off = np.abs(out.reshape(expected.shape).astype(int) - expected)
        assert off.max() <= 1 and (off > 0).mean() < 0.01
        for channel in range(channels):  # in floating numbers, unrounded
            plane = one[..., channel].astype(np.float32)
            wide = Image.fromarray(plane).resize((new, new), Image.Resampling.BILINEAR)
            got = images.resize(new)({"image": plane[None, ..., None]}, SEED)["image"]
            assert got.dtype == np.float32
            np.testing.assert_allclose(got[0, ..., 0], wide, rtol=1e-5, atol=1e-4)  # float32


def test_an_image_of_that_size_stays():
    examples = {"image": np.zeros((1, 8, 8, 1), np.uint8)}
    assert images.resize(8)(examples, SEED) is examples
    with pytest.raises(UserError, match="resized to 0 pixels: expected 1 or more"):
        images.resize(0)
