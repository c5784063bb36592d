"""Augmentations are torchvision's operations, drawn for each image by its own seed."""

from pathlib import Path

import numpy as np
import pytest
from parity.cases import AMOUNTS, MAGNITUDES, RANDAUGMENT, colored
from PIL import Image

from dljax.data import Arrays, Pipeline, augment, color, mixing, transforms
from dljax.errors import UserError

GOLDEN = Path(__file__).parent / "parity" / "golden"
SEEDS = np.arange(1000, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
CHANGES = {
    "brightness": color.brightness,
    "contrast": color.contrast,
    "saturation": color.saturation,
    "hue": color.hue,
}


def noise(b: int = 12, side: int = 8, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (b, side, side, channels), np.uint8)


def drawn(monkeypatch, draws: dict[str, float], default: float = 0.0) -> None:
    """Every draw is what ``draws`` says."""
    monkeypatch.setattr(
        augment, "uniform", lambda seeds, name: np.full(len(seeds), draws.get(name, default))
    )


# Beside torchvision


@pytest.mark.parametrize(
    "name, amount", [(n, x) for n, amounts in AMOUNTS.items() for x in amounts]
)
def test_colors_are_torchvisions(name, amount):
    golden = np.load(GOLDEN / "augmentations.npz")[f"{name} {amount}"]
    found = CHANGES[name](colored(), np.full(3, amount))
    np.testing.assert_array_equal(found, golden)


SIGNED = [
    (n, s * m) for n, two in RANDAUGMENT.items() for m in MAGNITUDES for s in (1, -1)[: 1 + two]
]


@pytest.mark.parametrize("name, magnitude", SIGNED)
def test_rand_augments_operations_are_torchvisions(name, magnitude, monkeypatch):
    golden = np.load(GOLDEN / "augmentations.npz")[f"{name} {magnitude}"]
    which = (list(augment.OPERATIONS).index(name) + 0.5) / 14
    sign = 0.25 if magnitude < 0 else 0.75
    drawn(monkeypatch, {"rand_augment operation 0": which, "rand_augment sign 0": sign})
    found = augment.rand_augment(1, abs(magnitude))({"image": colored()}, SEEDS[:3])
    np.testing.assert_array_equal(found["image"], golden)


# A function of each row's seed


SOURCE = Arrays({"image": noise(30), "label": np.arange(30, dtype=np.int32) % 5})
JITTER = augment.color_jitter(0.4, 0.4, 0.4, 0.1)
ALL = {
    "jitter": JITTER,
    "rand_augment": augment.rand_augment(),
    "erasing": augment.random_erasing(),
    "mixup": mixing.mixup(SOURCE, 5, JITTER),
    "cutmix": mixing.cutmix(SOURCE, 5, augment.random_erasing(), probability=0.5),
    "one_of": transforms.one_of(
        "mixture", mixing.mixup(SOURCE, 5), mixing.cutmix(SOURCE, 5), weights=(1, 2)
    ),
}


@pytest.mark.parametrize("transform", ALL.values(), ids=ALL)
def test_a_row_depends_on_its_seed_alone(transform):
    """Rows of a batch are those of its parts, whatever else is in them; and steps come back."""
    whole = Pipeline(SOURCE, 12, 3, transform).batch(4)
    assert not np.array_equal(
        whole["image"], SOURCE.arrays["image"][Pipeline(SOURCE, 12, 3).indices(4)]
    )
    anew = Pipeline(SOURCE, 12, 3, transform)
    anew.batch(1)
    parts = [anew.batch(4, rows) for rows in (slice(0, 1), slice(1, 7), slice(7, 12))]
    assert set(whole) == {"image", "label"}
    for name, value in whole.items():
        np.testing.assert_array_equal(value, np.concatenate([part[name] for part in parts]))
    other = Pipeline(SOURCE, 12, 4, transform, shuffle=False).batch(4)["image"]
    same = Pipeline(SOURCE, 12, 3, transform, shuffle=False).batch(4)["image"]
    assert not np.array_equal(other, same)


@pytest.mark.parametrize("transform", ALL.values(), ids=ALL)
def test_the_sources_images_stay_as_they_are(transform):
    before = {name: x.copy() for name, x in SOURCE.arrays.items()}
    transform(dict(SOURCE.arrays), SEEDS[:30])
    for name, x in before.items():
        np.testing.assert_array_equal(SOURCE.arrays[name], x)


# Colors


@pytest.mark.parametrize("turn", [0.0, 1.0, -1.0])
def test_a_whole_turn_of_the_hue_is_none(turn):
    """Of every color on a grid of 16 levels, at once."""
    levels = np.arange(0, 256, 17, dtype=np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(1, 64, 64, 3)
    np.testing.assert_array_equal(color.hue(grid, np.full(1, turn)), grid)


@pytest.mark.parametrize(
    "turn, expected",
    [
        (1 / 3, [[0, 200, 0], [10, 200, 80], [50, 50, 50]]),  # r g b -> b r g
        (-1 / 3, [[0, 0, 200], [80, 10, 200], [50, 50, 50]]),
        # Cyan; and the second from 200 80 10, an orange, to an azure of as little red as it had blue
        (0.5, [[0, 200, 200], [10, 130, 200], [50, 50, 50]]),
    ],
)
def test_hues_by_hand(turn, expected):
    pixels = np.uint8([[200, 0, 0], [200, 80, 10], [50, 50, 50]]).reshape(1, 1, 3, 3)
    found = color.hue(pixels, np.full(1, turn))[0, 0]
    # A third is no float32: a level may be lost where a value is cut.
    np.testing.assert_allclose(found, expected, atol=1 if turn != 0.5 else 0)


def test_the_ends_of_factors():
    image = noise()
    zero, one = np.zeros(len(image)), np.ones(len(image))
    for name in ("brightness", "contrast", "saturation"):
        np.testing.assert_array_equal(CHANGES[name](image, one), image)
    assert not color.brightness(image, zero).any()
    flat = color.contrast(image, zero)
    assert (np.ptp(flat.reshape(len(image), -1), axis=1) == 0).all()
    gray = color.saturation(image, zero)
    assert (gray[..., :1] == gray).all()
    # 0.2989 + 0.587 + 0.114 of BT.601, cut
    luma = image @ np.array([0.2989, 0.587, 0.114])
    assert ((luma - gray[..., 0] < 1 + 1e-4) & (luma - gray[..., 0] > -1e-4)).all()  # float32


@pytest.mark.parametrize("draw, level", [(0.0, 60), (0.5, 100), (1.0, 140)])
def test_factors_lie_about_one(draw, level, monkeypatch):
    drawn(monkeypatch, {"color_jitter brightness": draw})
    image = np.full((2, 3, 3, 3), 100, np.uint8)
    out = augment.color_jitter(brightness=0.4)({"image": image}, SEEDS[:2])["image"]
    np.testing.assert_allclose(out, level, atol=1)  # 1.4 is no float32, and the rest is cut


@pytest.mark.parametrize("first, levels", [("brightness", [127, 127]), ("contrast", [198, 198])])
def test_the_order_of_colors_is_drawn(first, levels, monkeypatch):
    """Of 0 and 200: twice as bright they are 0 and 255, whose gray is 127; without contrast they are
    99 (200 is a gray of 199), twice as bright 198."""
    draws = {f"color_jitter {first} place": -1.0, "color_jitter brightness": 1.0}
    drawn(monkeypatch, draws)
    image = np.zeros((1, 1, 2, 3), np.uint8)
    image[:, :, 1] = 200
    # Factors of 0 to 2: brightness is drawn at its largest, contrast at its least.
    jitter = augment.color_jitter(brightness=1.0, contrast=1.0)
    assert jitter({"image": image}, SEEDS[:1])["image"][0, 0, :, 0].tolist() == levels


def test_hues_are_turned_both_ways(monkeypatch):
    red = np.zeros((1, 1, 1, 3), np.uint8)
    red[..., 0] = 240
    for draw, expected in ((0.0, [240, 0, 120]), (1.0, [240, 120, 0])):
        drawn(monkeypatch, {"color_jitter hue": draw})
        out = augment.color_jitter(hue=1 / 12)({"image": red}, SEEDS[:1])["image"][0, 0, 0]
        np.testing.assert_allclose(out, expected, atol=1)  # a twelfth is no float32


def test_large_and_small_blocks_are_one(monkeypatch):
    image = {"image": noise(40)}
    whole = JITTER(image, SEEDS[:40])["image"]
    monkeypatch.setattr(augment, "_BLOCK", 100)
    np.testing.assert_array_equal(JITTER(image, SEEDS[:40])["image"], whole)


# RandAugment


def test_operations_are_drawn_evenly_and_half_go_back(monkeypatch):
    """The image says which operations it met: each writes its number and its direction."""

    def mark(number):
        return lambda image, s: Image.new(
            "RGB", (1, 1), (image.getpixel((0, 0))[2], number, 1 + (s > 0))
        )

    marks = {str(number): mark(number) for number in range(14)}
    monkeypatch.setattr(augment, "OPERATIONS", marks)
    blank = {"image": np.zeros((1000, 1, 1, 3), np.uint8)}
    out = augment.rand_augment(1)(blank, SEEDS)["image"].reshape(1000, 3)
    assert set(out[:, 0]) == {0}, "one operation"
    counts = np.bincount(out[:, 1], minlength=14)
    # 1000 draws of 14: 71 of each, with a deviation of sqrt(1000 / 14 * 13 / 14) = 8.1. Four of them.
    assert len(counts) == 14 and np.abs(counts - 1000 / 14).max() < 33
    # Half of 1000, with a deviation of 16. Four of them.
    assert abs((out[:, 2] == 2).sum() - 500) < 64
    twice = augment.rand_augment(2)(blank, SEEDS)["image"].reshape(1000, 3)
    assert set(twice[:, 0]) == {1, 2}, "a second operation saw the first's direction"
    # The second's direction is that of the first half the time.
    assert abs((twice[:, 0] == twice[:, 2]).sum() - 500) < 64
    assert not np.array_equal(twice[:, 1], out[:, 1])


@pytest.mark.parametrize("channels", [1, 3])
def test_rand_augment_keeps_the_shape(channels):
    image = noise(30, channels=channels)
    out = augment.rand_augment(3, 20)({"image": image}, SEEDS[:30])["image"]
    assert out.shape == image.shape and out.dtype == np.uint8


# Random erasing


@pytest.mark.parametrize(
    "draws, top, left, side",
    [
        ({}, 0, 0, 4),
        ({"random_erasing top": 0.5, "random_erasing left": 0.99}, 2, 4, 4),
        ({"random_erasing area 0": 1.0}, 0, 0, 8),  # of a quarter to all
    ],
)
def test_the_rectangle_that_was_drawn(draws, top, left, side, monkeypatch):
    drawn(monkeypatch, draws)
    image = np.full((2, 8, 8, 3), 200, np.uint8)
    erase = augment.random_erasing(1, (0.25, 1.0), aspect=1.0, fill=(1, 2, 3))
    expected = image.copy()
    expected[:, top : top + side, left : left + side] = [1, 2, 3]
    np.testing.assert_array_equal(erase({"image": image}, SEEDS[:2])["image"], expected)


def test_a_rectangle_that_does_not_fit_is_drawn_again(monkeypatch):
    """All of the area is too high where height is four times width. Half of it is 8 x 4 where it is
    twice the width."""
    first = {"random_erasing area 0": 1.0, "random_erasing aspect 0": 1.0}
    drawn(monkeypatch, {**first, "random_erasing aspect 1": 0.75})
    image = np.full((1, 8, 8, 1), 9, np.uint8)
    erase = augment.random_erasing(1, (0.5, 1.0), aspect=0.25, fill=[0])
    out = erase({"image": image}, SEEDS[:1])["image"][0, ..., 0]
    assert not out[:, :4].any() and (out[:, 4:] == 9).all()
    drawn(monkeypatch, {"random_erasing": 0.0}, default=1.0 - 2**-53)
    np.testing.assert_array_equal(
        augment.random_erasing(1, (1.0, 1.0), 0.25)({"image": image}, SEEDS[:1])["image"], image
    )


def test_areas_aspects_and_places():
    """Of 1000 images of 64 x 64: half are erased, by 2 to 40 %, of aspects 0.3 to 1 / 0.3."""
    image = np.full((1000, 64, 64, 1), 255, np.uint8)
    out = augment.random_erasing(fill=[0])({"image": image}, SEEDS)["image"][..., 0] == 0
    erased = out.any((1, 2))
    # A deviation of sqrt(1000 / 4) = 16. Four of them.
    assert abs(erased.sum() - 500) < 64
    height, width = out.any(2).sum(1)[erased], out.any(1).sum(1)[erased]
    area, aspect = height * width / 64**2, height / width
    np.testing.assert_array_equal(out[erased].sum((1, 2)), height * width)  # a rectangle
    # Sides are rounded: by at most half a pixel of at least 5.
    assert 0.02 / 1.15 < area.min() < 0.04 and 0.36 < area.max() < 0.4 * 1.05
    assert 0.3 / 1.15 < aspect.min() < 0.4 and 2.5 < aspect.max() < 1.15 / 0.3
    # The logarithm of the aspect is even about 0, within +- 1.2: its mean's deviation is at most 0.054.
    assert abs(np.log(aspect).mean()) < 4 * 0.054
    # Some touch each edge, and most touch none.
    touching = [out[erased, 0], out[erased, -1], out[erased, :, 0], out[erased, :, -1]]
    shares = [x.any(1).mean() for x in touching]
    assert all(0 < share < 0.2 for share in shares)


def test_noise_has_every_level_and_differs_between_images():
    image = np.zeros((200, 32, 32, 3), np.uint8)
    erase = augment.random_erasing(1.0, (0.3, 0.3), 1.0)
    out = erase({"image": image}, SEEDS[:200])["image"]
    levels = out[out.any(-1)]
    # The square of 17.5 x 17.5 is rounded to 18 x 18. One pixel in 256 ** 3 is black.
    assert abs(len(levels) - 200 * 18 * 18) <= 1
    counts = np.bincount(levels.ravel(), minlength=256)
    expected = levels.size / 256
    # Pearson's chi squared of 255 degrees of freedom: 255 +- 22.6. Four of them.
    assert abs((np.square(counts - expected) / expected).sum() - 255) < 90
    assert len({x.tobytes() for x in out}) == 200


# What does not fit


@pytest.mark.parametrize(
    "make, words",
    [
        (
            lambda: augment.color_jitter(-0.1),
            r"brightness -0.1 of color_jitter: expected 0 or more",
        ),
        (lambda: augment.color_jitter(hue=0.6), r"hue 0.6 of color_jitter: expected 0 to 0.5"),
        (lambda: augment.rand_augment(0), r"operations 0 of rand_augment: expected 1 or more"),
        (lambda: augment.rand_augment(2, 31), r"magnitude 31 of rand_augment: expected 0 to 30"),
        (lambda: augment.random_erasing(1.1), r"probability 1.1 .* expected 0 to 1"),
        (lambda: augment.random_erasing(area=(0.4, 0.1)), r"area \(0.4, 0.1\) .* in order"),
        (lambda: augment.random_erasing(aspect=2.0), r"aspect 2.0 .* expected above 0, to 1"),
    ],
)
def test_numbers_out_of_range(make, words):
    with pytest.raises(UserError, match=words) as error:
        make()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("make", [lambda: JITTER, augment.rand_augment, augment.random_erasing])
@pytest.mark.parametrize(
    "examples, words",
    [
        ({"encoded": np.array([b""], object)}, "found encoded: put it after a crop of files"),
        ({"image": np.zeros((1, 8, 8, 3), np.float32)}, r"found float32 \[1, 8, 8, 3\]: .* before"),
        ({"image": np.zeros((1, 8, 8), np.uint8)}, r"found uint8 \[1, 8, 8\]"),
    ],
)
def test_images_that_are_not_to_be_augmented(make, examples, words):
    with pytest.raises(UserError, match=f"expects image uint8 .*{words}"):
        make()(examples, SEEDS[:1])


def test_colors_have_three_channels_and_fills_as_many():
    with pytest.raises(UserError, match=r"uint8 \[b, h, w, 3\], found uint8 \[1, 8, 8, 1\]"):
        JITTER({"image": noise(1, channels=1)}, SEEDS[:1])
    with pytest.raises(UserError, match=r"fill \[0\] .* expected 3 levels"):
        augment.random_erasing(fill=[0])({"image": noise(1)}, SEEDS[:1])
