"""The loss of an MAE: of hidden patches alone, of which the key says which."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax import axes
from dljax.tasks.masked_images import (
    filled_in,
    masked_autoencoding,
    patch_noise,
    statistics,
)
from dljax.types import Variables


class Side:
    """What a task asks an encoder."""

    patch = 2


class Constant(nn.Module):
    """Restores a learned number; the two patches with the smaller noise are seen."""

    encoder: Any = Side()

    @nn.compact
    def __call__(self, image, noise, *, train: bool):
        pixels = self.param("pixels", nn.initializers.zeros, (1, 4, 4))
        mask = jnp.argsort(jnp.argsort(noise, 1), 1) >= 2
        return jnp.broadcast_to(pixels, (len(image), 4, 4)), mask.astype(image.dtype)

    def represent(self, image):
        return image.mean((1, 2))


def cut(image, side):
    """The four quarters of images of 4 x 4."""
    quarters = [image[:, i : i + 2, j : j + 2, 0] for i in (0, 2) for j in (0, 2)]
    return jnp.stack(quarters, 1).reshape(len(image), 4, 4)


def join(squares, side, width):
    rows = squares.reshape(-1, 2, 2, 2, 2).transpose(0, 1, 3, 2, 4)
    return rows.reshape(-1, 4, 4, 1)


def hidden(key, n: int) -> np.ndarray:
    noise = np.asarray(patch_noise(key, jnp.zeros((n, 4, 4, 1)), 2))
    return noise.argsort(1).argsort(1) >= 2


IMAGE = jnp.asarray(np.random.default_rng(0).uniform(size=(3, 4, 4, 1)), jnp.float32)
TASK = masked_autoencoding(Constant(), cut, normalized=False)


def test_the_loss_is_that_of_hidden_patches_alone(key):
    """Against zeros, the mean of the hidden pixels' squares; what is restored of the seen ones moves nothing."""
    params, extra = TASK.init(key, {"image": IMAGE})
    of = jax.jit(
        jax.value_and_grad(lambda p: TASK.losses["model"](p, extra, {"image": IMAGE}, key)[0].value)
    )
    value, slope = of(params)
    unseen = hidden(key, 3)
    assert (unseen.sum(1) == 2).all() and len(np.unique(unseen, axis=0)) > 1
    squares = np.asarray(cut(IMAGE, 2))
    np.testing.assert_allclose(value, (squares[unseen] ** 2).mean(), rtol=1e-6)
    # d/dp of the mean over 3 images, 2 patches, 4 pixels.
    expected = -2 * (squares * unseen[..., None]).sum(0) / 24
    np.testing.assert_allclose(slope["model"]["pixels"][0], expected, rtol=1e-5, atol=1e-7)
    # A row that pads does not count.
    batch = {"image": IMAGE, "mask": jnp.array([1.0, 0, 1])}
    found = jax.jit(TASK.evaluate)(params, extra, batch, key)["loss"]
    rows = (squares[[0, 2]][unseen[[0, 2]]] ** 2).mean()
    np.testing.assert_allclose(found.value, rows, rtol=1e-6)


def test_normalized_patches(key):
    """(1, 2, 3, 4) has the mean 2.5 and, by 3, the variance 5/3: against zeros the loss is 3/4 of 1."""
    mean, deviation = statistics(jnp.array([[[1.0, 2, 3, 4]]]))
    np.testing.assert_allclose([mean[0, 0, 0], deviation[0, 0, 0] ** 2], [2.5, 5 / 3], rtol=1e-5)
    task = masked_autoencoding(Constant(), cut)
    params, extra = task.init(key, {"image": IMAGE})
    found = jax.jit(task.evaluate)(params, extra, {"image": IMAGE}, key)["loss"]
    np.testing.assert_allclose(found.value, 0.75, rtol=1e-3)  # the 1e-6 beside variances of 0.1


def test_the_key_says_which_are_hidden_on_any_device(key):
    image = jnp.zeros((16, 4, 4, 1))
    whole = patch_noise(key, image, 2)
    each = jax.pmap(lambda x: patch_noise(key, x, 2), axis_name=axes.DEVICES)
    np.testing.assert_array_equal(each(image.reshape(8, 2, 4, 4, 1)).reshape(16, 4), whole)
    assert not np.array_equal(whole, patch_noise(jax.random.key(1), image, 2))


@pytest.mark.parametrize("normalized", [False, True])
def test_hidden_patches_are_filled_in(key, normalized):
    """Zeros restored are black, or with the patches' own means those; seen patches stay."""
    fill = filled_in(Constant(), cut, join, normalized=normalized, player="mae")
    params, extra = TASK.init(key, {"image": IMAGE})
    gray, made = fill(Variables({"mae": params["model"]}, {"mae": extra["model"]}), IMAGE, key)
    unseen = hidden(key, 3)
    true, gray, made = (np.asarray(cut(x, 2)) for x in (IMAGE, gray, made))
    np.testing.assert_array_equal(gray[unseen], 0.5)
    for shown in (gray, made):
        np.testing.assert_array_equal(shown[~unseen], true[~unseen])
    means = true[unseen].mean(-1, keepdims=True) if normalized else 0.0
    np.testing.assert_allclose(made[unseen], np.broadcast_to(means, made[unseen].shape), rtol=1e-5)
