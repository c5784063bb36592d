"""Attributions find what decides, and are the numbers that their papers define."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax import Arrays, EvalSet
from dljax.analysis import heat, saliency
from dljax.errors import UserError
from dljax.tasks.classification import classification
from dljax.types import Variables

SIZE = 20
ACROSS, DOWN = slice(3, 8), slice(12, 17)  # places of the two patches, along both sides
THRESHOLD = 2.25


class Stripes(nn.Module):
    """Class 0 is horizontal stripes, class 1 vertical ones, wherever they are.

    A 3x3 convolution answers stripes of one direction with 3 and what is left of others with at most 2;
    what is above the threshold is summed over places.
    """

    @nn.compact
    def __call__(self, image, *, train: bool):
        vertical = np.tile(np.array([-0.5, 1.0, -0.5], np.float32), (3, 1))
        kernel = np.stack([vertical.T, vertical], -1)[:, :, None]
        maps = nn.Conv(
            2,
            (3, 3),
            kernel_init=lambda *_: jnp.asarray(kernel),
            bias_init=nn.initializers.constant(-THRESHOLD),
            name="conv",
        )(image)
        return jnp.sum(jax.nn.relu(maps), axis=(1, 2))


def striped() -> np.ndarray:
    """An image with horizontal stripes at ``ACROSS`` and vertical ones at ``DOWN``."""
    image = np.zeros((1, SIZE, SIZE, 1), np.float32)
    image[0, ACROSS.start : ACROSS.stop : 2, ACROSS, 0] = 1.0
    image[0, DOWN, DOWN.start : DOWN.stop : 2, 0] = 1.0
    return image


@pytest.fixture(scope="module")
def stripes():
    """(task, variables, logits of images)."""
    task = classification(Stripes())
    variables = Variables(*task.init(jax.random.key(0), {"image": jnp.asarray(striped())}))
    return task, variables, saliency.of_images(task.predict, variables)


def methods(score, image, key):
    return {
        "saliency": saliency.saliency(score, image),
        "smooth": saliency.smooth_gradient(score, image, key, noise=0.02, n=4)[..., 0],
        "integrated": saliency.integrated_gradients(score, image, steps=8)[..., 0],
        "grad_cam": saliency.grad_cam(score, image, "conv"),
        "occlusion": saliency.occlusion(score, image, 3, fill=0.0),
    }


@pytest.mark.parametrize("label, place", [(0, ACROSS), (1, DOWN)])
def test_every_method_finds_the_patch_of_the_class(label, place, stripes, key):
    score = saliency.of_class(stripes[2], jnp.array([label]))
    maps = jax.jit(lambda x: methods(score, x, key))(jnp.asarray(striped()))
    # A pixel counts through a window of 3, and under a square of 3: nothing is further away than 3.
    near = np.zeros((SIZE, SIZE), bool)
    near[place.start - 3 : place.stop + 3, place.start - 3 : place.stop + 3] = True
    for name, found in maps.items():
        found = np.asarray(found)[0]
        assert np.abs(found[~near]).max() == 0, name
        row, column = np.unravel_index(np.abs(found).argmax(), found.shape)
        assert place.start - 1 <= row <= place.stop and place.start - 1 <= column <= place.stop, (
            name
        )
        assert np.abs(found).max() > 0.01, name


def test_grad_cam_by_hand(stripes):
    """relu(alpha A), where alpha is the part of all places whose unit is above the threshold."""
    image = striped()
    window = np.pad(image[0, :, :, 0], 1)
    at = range(SIZE)
    answer = np.array(
        [[window[i : i + 3, j : j + 3].sum(0) @ [-0.5, 1, -0.5] for j in at] for i in at]
    )
    maps = answer - THRESHOLD
    alpha = (maps > 0).sum() / SIZE**2
    score = saliency.of_class(stripes[2], jnp.array([1]))
    found = saliency.grad_cam(score, jnp.asarray(image), "conv")[0]
    np.testing.assert_allclose(found, alpha * np.maximum(maps, 0), rtol=1e-5, atol=1e-6)  # float32


def test_grad_cam_is_enlarged_to_the_image():
    class Strided(nn.Module):
        @nn.compact
        def __call__(self, image, *, train: bool):
            ones = nn.initializers.ones
            x = nn.Conv(1, (4, 4), (4, 4), kernel_init=ones, name="conv")(image)
            return jnp.sum(x, (1, 2))

    image = jnp.zeros((1, 8, 8, 1)).at[:, :4, :4].set(1.0)
    net = Strided()
    variables = net.init(jax.random.key(0), image, train=False)
    cam = saliency.grad_cam(lambda x: net.apply(variables, x, train=False)[:, 0], image, "conv")
    # One unit of four is 16, and its weight is 1; between the units' centers it falls linearly.
    assert cam.shape == (1, 8, 8)
    np.testing.assert_allclose(cam[0, 0], [16, 16, 14, 10, 6, 2, 0, 0], rtol=1e-6)


WEIGHT = np.random.default_rng(0).normal(size=(3, 4, 2)).astype(np.float32)


def linear(image):
    return jnp.sum(image * WEIGHT[None], axis=(1, 2, 3))


def images(n=2, seed=1):
    return jnp.asarray(np.random.default_rng(seed).random((n, 3, 4, 2)).astype(np.float32))


def test_saliency_is_the_largest_of_the_channels():
    found = saliency.saliency(linear, images())
    np.testing.assert_allclose(found, np.tile(np.abs(WEIGHT).max(-1), (2, 1, 1)), rtol=1e-6)


@pytest.mark.parametrize("baseline", [0.0, 0.5, images(seed=2)], ids=["black", "gray", "image"])
def test_integrated_gradients_of_a_linear_score(baseline):
    found = saliency.integrated_gradients(linear, images(), baseline, steps=3)
    np.testing.assert_allclose(found, WEIGHT[None] * (images() - baseline), rtol=1e-5)  # float32


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_integrated_gradients_of_a_cubic(steps):
    """x^3 (1 - 1 / (4 n^2)): the midpoint rule's error of the integral of 3 a^2."""
    found = saliency.integrated_gradients(
        lambda x: jnp.sum(x**3, axis=(1, 2, 3)), images(), steps=steps
    )
    expected = np.asarray(images()) ** 3 * (1 - 1 / (4 * steps**2))
    np.testing.assert_allclose(found, expected, rtol=1e-5)  # float32


def test_integrated_gradients_sum_to_the_difference(stripes):
    """Within h / 2 of the slope of each unit that crosses the threshold on the way."""
    score = saliency.of_class(stripes[2], jnp.array([1]))
    image = jnp.asarray(striped()) * 0.8
    difference = float((score(image) - score(jnp.zeros_like(image)))[0])
    # Above the threshold are the three middle units of each of three stripes.
    slopes = 9 * 0.8 * 3.0
    np.testing.assert_allclose(difference, slopes - 9 * THRESHOLD, rtol=1e-5)
    errors = {}
    for steps in (3, 30, 300):
        total = jnp.sum(saliency.integrated_gradients(score, image, steps=steps))
        errors[steps] = abs(float(total) - difference)
        assert errors[steps] <= slopes / (2 * steps) + 1e-4  # and rounding of a sum near 10
    assert errors[300] < errors[3] / 10


def test_smooth_gradient_is_a_mean_over_noise(key):
    """The gradient of x^3 under noise is 3 (x^2 + sigma^2) in the mean, sigma a part of the range."""
    image = jnp.asarray(np.linspace(0, 2, 12).reshape(1, 3, 4, 1), jnp.float32)
    found = saliency.smooth_gradient(
        lambda x: jnp.sum(x**3, axis=(1, 2, 3)), image, key, noise=0.25, n=4000
    )
    sigma = 0.25 * 2
    x = np.asarray(image)
    # Five standard errors; the variance of 3 (2 x e + e^2) is 9 (4 x^2 s^2 + 2 s^4).
    error = 5 * np.sqrt(9 * (4 * x**2 * sigma**2 + 2 * sigma**4) / 4000)
    assert (np.abs(found - 3 * (x**2 + sigma**2)) < error).all()
    assert error[0, 0, 0, 0] < 3 * sigma**2 / 4, "or it could not see the noise"


@pytest.mark.parametrize("size, stride", [(1, 1), (2, 1), (2, 2), (3, 2)])
def test_occlusion_of_a_linear_score(size, stride):
    """The fall is the sum of what was covered, less what the paint gives instead."""
    image, fill = images(), 0.25
    gain = ((np.asarray(image) - fill) * WEIGHT[None]).sum(-1)
    total, count = np.zeros((2, 3, 4)), np.zeros((3, 4))
    tops = sorted({*range(0, 3 - size, stride), 3 - size})
    lefts = sorted({*range(0, 4 - size, stride), 4 - size})
    for top in tops:
        for left in lefts:
            square = slice(top, top + size), slice(left, left + size)
            total[:, *square] += gain[:, *square].sum((1, 2))[:, None, None]
            count[square] += 1
    found = saliency.occlusion(linear, image, size, stride=stride, fill=fill)
    np.testing.assert_allclose(found, total / count, rtol=1e-4, atol=1e-5)  # differences of sums


def test_pixels_of_the_largest_attribution_are_erased():
    """Of 8 pixels three, a quarter and a bit: the largest numbers, not the largest sizes."""
    image = np.arange(16, dtype=np.float32).reshape(1, 2, 4, 2) + 1
    maps = np.array([[[0.1, -9.0, 5.0, 0.2], [4.0, 0.0, 0.3, -1.0]]], np.float32)
    found = saliency.erased(image, maps, part=0.26, fill=-1.0)
    expected = image.copy()
    for place in ((0, 2), (1, 0), (1, 2)):
        expected[0][place] = -1.0
    np.testing.assert_array_equal(found, expected)
    assert image.min() == 1.0, "the image itself stays"


@pytest.mark.parametrize(
    "act, words",
    [
        (lambda s, x: saliency.occlusion(s, x, 30), "a square of 30 pixels on an image of 20 x 20"),
        (lambda s, x: saliency.occlusion(s, x, 3, stride=4), "stride 4 .* expected 1 to 3"),
        (lambda s, x: saliency.grad_cam(s, x, "conv1"), "no layer 'conv1' .*'conv'"),
    ],
)
def test_what_cannot_be_attributed_is_one_line(act, words, stripes):
    with pytest.raises(UserError, match=words):
        act(saliency.of_class(stripes[2], jnp.array([0])), jnp.asarray(striped()))


def test_heat_is_white_at_zero_red_above_blue_below():
    maps = np.zeros((2, 3, 3))
    maps[0, 0, 0], maps[0, 1, 1], maps[1, 0, 0] = 2.0, -1.0, 0.001
    colors = heat.heat(maps, 100.0)
    red = [0.7, 0.0, 0.1]
    np.testing.assert_allclose(colors[0, 0, 0], red, rtol=1e-6)
    np.testing.assert_allclose(colors[1, 0, 0], red, rtol=1e-6)  # a map has its own scale
    np.testing.assert_allclose(colors[0, 1, 1], [0.5, 0.6, 0.85], rtol=1e-6)  # half of blue
    np.testing.assert_array_equal(colors[0, 2, 2], [1, 1, 1])
    np.testing.assert_array_equal(heat.heat(np.zeros((1, 2, 2))), np.ones((1, 2, 2, 3)))


def test_the_look_has_a_row_for_each_image(stripes, key):
    task, variables, _ = stripes
    image = np.concatenate([striped(), striped()])
    image[1, DOWN, DOWN] = 0.0
    data = EvalSet(Arrays({"image": image, "label": np.array([1, 1], np.int32)}))
    names = ["across", "down"]
    out = saliency.Explanations(task, data, "conv", names, square=3)(variables, key)
    guess = jnp.array([0, 0])  # of the first image both are as large; the second has one alone
    score = saliency.of_class(saliency.of_images(task.predict, variables), guess)
    maps = {
        "gradient": saliency.saliency(score, image),
        "SmoothGrad": saliency.smooth_gradient(score, jnp.asarray(image), key).sum(-1),
        "integrated": saliency.integrated_gradients(score, jnp.asarray(image)).sum(-1),
        "Grad-CAM": saliency.grad_cam(score, jnp.asarray(image), "conv"),
        "occlusion": saliency.occlusion(score, jnp.asarray(image), 3, fill=0.0),
    }
    expected = heat.table(image, maps, ["down as across"] * 2)
    np.testing.assert_allclose(
        out, expected, atol=0.02
    )  # compiled in one, and thus rounded otherwise
