"""Two resolutions of an image: pixel shuffle, bicubic interpolation, windows, PSNR and SSIM, the task."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from dljax import Pipeline
from dljax.analysis.enlarged import Fidelity, SideBySide, levels, psnr, ssim
from dljax.data.datasets import photos, t91
from dljax.data.resolution import Pairs, bicubic, luma, pairs, windows
from dljax.errors import UserError
from dljax.nn import PReLU, pixel_shuffle
from dljax.tasks.super_resolution import enlargement
from dljax.types import Variables


def test_pixel_shuffle_has_torchs_order():
    """Channel c r^2 + i r + j of one pixel is channel c of pixel (i, j): not TensorFlow's (i r + j) C + c."""
    out = pixel_shuffle(jnp.arange(8.0)[None, None, None], 2)
    np.testing.assert_array_equal(out[0, ..., 0], [[0, 1], [2, 3]])
    np.testing.assert_array_equal(out[0, ..., 1], [[4, 5], [6, 7]])
    # Of two pixels of a row, each stays a tile.
    row = pixel_shuffle(jnp.arange(8.0).reshape(1, 1, 2, 4), 2)
    np.testing.assert_array_equal(row[0, ..., 0], [[0, 1, 4, 5], [2, 3, 6, 7]])


def test_prelu_has_a_slope_for_each_channel():
    x = jnp.array([[[[-2.0, -2.0], [3.0, 3.0]]]])
    out = PReLU(2).apply({"params": {"alpha": jnp.array([0.5, -1.0])}}, x)
    np.testing.assert_array_equal(out[0, 0], [[-1, 2], [3, 3]])


def picture(h: int, w: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (h, w, 3)).astype(np.uint8)


@pytest.mark.parametrize("size", [(4, 5), (24, 30)])
def test_bicubic_is_pillows(size):
    """In float, where Pillow too does not round; both ways. The smaller one is free of aliases."""
    gray = picture(12, 15)[..., 0].astype(np.float32)
    expected = np.asarray(Image.fromarray(gray).resize(size[::-1], Image.Resampling.BICUBIC))
    # float32 sums of at most 13 terms of up to 255: some 1e-5.
    np.testing.assert_allclose(bicubic(gray[..., None], *size)[..., 0], expected, atol=1e-3)


def test_luma_is_of_16_to_235():
    ends = np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0]], np.uint8)
    np.testing.assert_allclose(luma(ends), [16, 235, 81.481], atol=1e-9)
    np.testing.assert_array_equal(levels(ends[None] / 255), [[16, 235, 81]])
    assert levels(np.full((1, 1, 1), 1.02)) == 255  # what overshoots is cut before it is measured


def test_psnr_and_ssim_by_hand():
    """One pixel of four off by 51: mean square 255^2 / 100. Two constants: the first factor alone."""
    a = np.full((2, 2), 100)
    b = a + np.array([[51, 0], [0, 0]])
    np.testing.assert_allclose(psnr(a, b), 10 * np.log10(4 * 25), rtol=1e-12)
    assert psnr(a, a) == np.inf
    gray = picture(16, 16)[..., 0]
    np.testing.assert_allclose(ssim(gray, gray), 1, rtol=1e-12)
    c1 = 2.55**2
    flat = ssim(np.full((12, 12), 100), np.full((12, 12), 150))
    np.testing.assert_allclose(flat, (2 * 100 * 150 + c1) / (100**2 + 150**2 + c1), rtol=1e-9)
    assert ssim(gray, 255 - gray) < 0  # a negative is unlike, though its variance is the same


def test_windows_show_the_same_place_in_both_resolutions():
    """Where the large image is the small one with pixels repeated, so is every window; orientations vary."""
    data = pairs([picture(36, 24), picture(30, 33)], 3, gray=False)
    repeated = [low.repeat(3, 0).repeat(3, 1) for low in data.low]
    data = Pairs(data.low, repeated, 3)
    pipeline = Pipeline(data, 64, seed=1, transform=windows(5, 3))
    batch = pipeline.batch(7)
    assert batch["image"].shape == (64, 5, 5, 3) and batch["high"].shape == (64, 15, 15, 3)
    np.testing.assert_array_equal(batch["high"], batch["image"].repeat(3, 1).repeat(3, 2))
    assert len({x.tobytes() for x in batch["image"]}) > 50
    again = pipeline.batch(7, slice(10, 20))  # a function of (seed, step), whoever asks
    np.testing.assert_array_equal(again["high"], batch["high"][10:20])
    assert (pipeline.batch(8)["image"] != batch["image"]).any()
    with pytest.raises(UserError, match="windows of 11 pixels of an image of 12x8"):
        windows(11, 3)(data.gather(np.array([0])), np.zeros(1, np.uint64))


def test_windows_lie_in_eight_orientations():
    data = pairs([picture(2, 2)], 1, gray=False)
    made = windows(2, 1)(data.gather(np.zeros(400, int)), np.arange(400, dtype=np.uint64))
    found = {x.tobytes() for x in made["image"]}
    low, turns = data.low[0], range(4)
    assert found == {
        np.ascontiguousarray(np.rot90(x, k)).tobytes() for x in (low, low[:, ::-1]) for k in turns
    }


def test_pairs_are_cut_and_kept_in_eight_bits():
    data = pairs([picture(13, 20)], 3, gray=False)
    assert data.low[0].shape == (4, 6, 3) and data.high[0].shape == (12, 18, 3)
    whole = data.low[0] * 255
    np.testing.assert_allclose(whole, np.round(whole), atol=1e-4)
    gray = pairs([picture(13, 20)], 3, gray=True)
    np.testing.assert_allclose(gray.low[0][..., 0] * 255, luma(np.round(whole)), atol=1e-4)
    with pytest.raises(UserError, match="3th of its sides"):
        pairs([picture(2, 9)], 3, gray=True)


class Repeat(nn.Module):
    """Pixels repeated, times a scale."""

    @nn.compact
    def __call__(self, image, *, train: bool):
        image = self.param("scale", nn.initializers.ones, ()) * image
        return jnp.repeat(jnp.repeat(image, 2, 1), 2, 2)


@pytest.mark.parametrize("error, expected", [("l2", (4 / 4 + 0) / 2), ("l1", (2 / 4 + 0) / 2)])
def test_error_of_pixels(error, expected, key):
    """One pixel of four off by 2 in the first image, none in the second; the third only pads."""
    task = enlargement(Repeat(), error)
    image = jnp.array([1.0, 2.0, 9.0]).reshape(3, 1, 1, 1)
    high = jnp.repeat(jnp.repeat(image, 2, 1), 2, 2).at[0, 0, 1].add(2.0).at[2].set(0.0)
    batch = {"image": image, "high": high, "mask": jnp.array([1.0, 1.0, 0.0])}
    params, extra = task.init(key, batch)
    value, _ = task.losses["model"](params, extra, batch, key)
    np.testing.assert_allclose(value.value, expected, rtol=1e-6)
    np.testing.assert_allclose(task.evaluate(params, extra, batch, key)["loss"].value, expected)


def test_fidelity_is_of_whole_images_without_their_border(key):
    """The model that repeats pixels errs in the border alone here; bicubic blurs the edge as well."""
    low = np.zeros((14, 16, 1), np.float32)
    low[:, 8:] = 1
    lows = [low, low[:12]]
    data = Pairs(lows, [x.repeat(2, 0).repeat(2, 1) for x in lows], 2)
    for high in data.high:
        high[:2] = high[-2:] = 0.5
    task = enlargement(Repeat())
    variables = Variables({"model": {"scale": jnp.ones(())}}, {"model": {}})
    found = Fidelity(task, data)(variables, key)
    assert found["psnr"] == np.inf and found["ssim"] == 1
    assert 10 < found["bicubic_psnr"] < 40 and found["bicubic_ssim"] < 1
    shown = SideBySide(task, data, n=2, size=20)(variables, key)
    assert shown.shape == ((2 * 22 + 2) * 2, (4 * 22 + 2) * 2)


def test_photos_come_from_folders(tmp_path):
    """Of Set5's folders the large ones of the first; T91's as they are."""
    for name in ("t91/b", "t91/a", "set5/x2/1_HR", "set5/x2/1_LR", "set5/x3/1_HR"):
        file = tmp_path / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(9, len(name))).save(file)
    train, test = t91.load(data=str(tmp_path))
    assert [x.shape for x in train] == [(9, 5, 3)] * 2
    assert [x.shape for x in test] == [(9, 12, 3)]
    with pytest.raises(UserError, match="no images in .*t91.*--fake true"):
        t91.load(data=str(tmp_path / "t91"))


def test_parts_of_the_photographs():
    train, test = photos.parts()
    whole = photos.photographs()
    for photo, left, right in zip(whole, train, test, strict=True):
        np.testing.assert_array_equal(np.concatenate([left, right], 1), photo)
        assert left.shape[1] == 480
    with pytest.raises(UserError, match="leave it out"):
        photos.parts(data="x")
