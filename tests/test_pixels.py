"""A network is looked at in pixels of 0..1, whatever its own scale; sets of other kinds are what they say."""

import numpy as np
import pytest
from refusal import refused

from dljax import Arrays, EvalSet
from dljax.analysis import outside, pixels
from dljax.data import images, transforms
from dljax.data.datasets import imagenet
from dljax.data.pipeline import unchanged
from dljax.types import Task

BYTES = np.random.default_rng(0).integers(0, 256, (6, 5, 4, 3), np.uint8)
MEAN, STD = images.IMAGENET_MEAN, images.IMAGENET_STD


@pytest.mark.parametrize(
    "transform, low, high",
    [
        (transforms.unit, [0, 0, 0], [1, 1, 1]),
        (transforms.signed, [-1, -1, -1], [1, 1, 1]),
        (images.standardize(), -MEAN / STD, (1 - MEAN) / STD),
    ],
    ids=["unit", "signed", "standardized"],
)
def test_black_and_white(transform, low, high):
    found = pixels.scale(EvalSet(Arrays({"image": BYTES}), transform))
    np.testing.assert_allclose(found.low.ravel(), low, rtol=1e-6, atol=1e-6)  # float32
    np.testing.assert_allclose(found.high.ravel(), high, rtol=1e-6)
    network = transform({"image": BYTES}, np.zeros(6, np.uint64))["image"]
    np.testing.assert_allclose(found.shown(network), BYTES / 255, atol=1e-6)
    np.testing.assert_allclose(found.fed(found.shown(network)), network, atol=1e-5)


def test_files_of_photos():
    """Black and white pass the crop of 224 pixels and the standardization."""
    _, test = imagenet.load(fake=True)
    data = EvalSet(test, transforms.chain(images.center_crop(224), images.standardize()))
    found = pixels.scale(data)
    np.testing.assert_allclose(found.low.ravel(), -MEAN / STD, rtol=1e-6)
    np.testing.assert_allclose(found.high.ravel(), (1 - MEAN) / STD, rtol=1e-6)


def mixed(examples, seeds):
    """Pixels that depend on their neighbors."""
    image = examples["image"].astype(np.float32) / 255
    return {
        **examples,
        "image": image * np.linspace(-2, 1, 4, dtype=np.float32)[None, None, :, None],
    }


@pytest.mark.parametrize(
    "image, transform, low, high",
    [
        (np.array([[0.25, 0.5]]), unchanged, 0, 1),
        (np.array([[-3.0, 5.0]]), unchanged, -3, 5),
        (np.full((1, 4), 255, np.uint8), mixed, -2, 1),
    ],
    ids=["fractions", "numbers", "mixed"],
)
def test_other_images_give_the_range_of_their_values(image, transform, low, high):
    data = EvalSet(Arrays({"image": image[:, None, :, None]}), transform)
    found = pixels.scale(data)
    assert (found.low.item(), found.high.item()) == (low, high)


def test_the_network_is_the_same_in_pixels():
    """It sums its own pixels, standardized; a caller gives and sees 0..1."""
    task = Task(None, {}, None, lambda variables, batch: batch["image"].sum((1, 2, 3)))
    data = EvalSet(Arrays({"image": BYTES}), images.standardize())
    network = pixels.of_pixels(task, data)
    (batch,), (own,) = network.data.batches(6), data.batches(6)
    np.testing.assert_allclose(batch["image"], BYTES / 255, atol=1e-6)
    expected = ((BYTES / 255 - MEAN) / STD).sum((1, 2, 3))
    np.testing.assert_allclose(network.predict(None, batch), expected, rtol=1e-4)  # a sum near 0
    np.testing.assert_allclose(network.shown(own["image"]), BYTES / 255, atol=1e-6)


def test_what_has_no_pixels():
    task = Task(None, {}, None)
    with refused("without images"):
        pixels.scale(EvalSet(Arrays({"image": np.zeros((3, 4))})))
    with refused("predicts nothing"):
        pixels.of_pixels(task, EvalSet(Arrays({"image": BYTES}), transforms.unit))


# Images of another kind

INSIDE = np.random.default_rng(1).random((5, 8, 6, 3)).astype(np.float32)


def test_shuffled_images_keep_their_pixels():
    found = outside.images("shuffled", INSIDE, 4)
    assert found.shape == (4, 8, 6, 3)
    for image, before in zip(found, INSIDE, strict=False):
        colors = [{tuple(color) for color in x.reshape(-1, 3)} for x in (image, before)]
        assert colors[0] == colors[1]
        assert (image != before).any()
    assert (outside.images("shuffled", INSIDE, 4, seed=1) != found).any()


def test_noise_is_uniform():
    found = outside.images("noise", np.zeros((100, 8, 8, 1), np.float32), 100)
    # Five standard errors of the mean of 6400 uniform draws, and of their variance.
    assert abs(found.mean() - 0.5) < 5 * np.sqrt(1 / 12 / 6400)
    assert abs(found.var() - 1 / 12) < 5 * np.sqrt(1 / 180 / 6400)


@pytest.mark.parametrize("shape", [(28, 28, 1), (20, 200, 3)])
def test_photos_fit(shape):
    found = outside.images("photos", np.zeros((3, *shape), np.float32), 10)
    assert found.shape == (3, *shape) and found.dtype == np.float32
    assert found.min() >= 0 and 0.5 < found.max() <= 1 and found.std() > 0.05


def test_a_dataset_and_a_folder(tmp_path):
    from PIL import Image

    from dljax.data.datasets import digits

    _, test = digits.load()
    found = outside.images("digits", np.zeros((2, 28, 28, 1), np.float32), 30)
    np.testing.assert_allclose(found * 255, test.arrays["image"][:30], atol=1e-4)
    Image.new("RGB", (10, 10), (255, 0, 0)).save(tmp_path / "red.png")
    (gray,) = outside.images(str(tmp_path), np.zeros((2, 4, 4, 1), np.float32), 30)
    np.testing.assert_allclose(gray, 76 / 255, atol=1e-6)  # ITU-R 601: 0.299 of 255
    with refused("no set 'nist'", "did you mean 'mnist'"):
        outside.images("nist", INSIDE, 3)
