"""A class for every pixel."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax.tasks.segmentation import overlap, segmentation


def test_overlap_by_hand():
    guess = jnp.array([[[0, 0], [1, 1]], [[2, 2], [2, 2]]])
    label = jnp.array([[[0, 1], [1, 1]], [[2, 2], [2, 2]]])
    iou, dice = overlap(guess, label, 4, jnp.ones(label.shape, bool))
    # class 0: 1 of 2, class 1: 2 of 3; the second image is right; classes that do not occur are out
    np.testing.assert_allclose(iou, [(1 / 2 + 2 / 3) / 2, 1.0], rtol=1e-6)
    np.testing.assert_allclose(dice, [(2 / 3 + 4 / 5) / 2, 1.0], rtol=1e-6)


class Given(nn.Module):
    """The image itself as logits."""

    @nn.compact
    def __call__(self, image, *, train: bool):
        return self.param("scale", nn.initializers.ones, ()) * image


@pytest.mark.parametrize("ignore, iou, dice", [(9, 1 / 2, 2 / 3), (1, 1.0, 1.0)])
def test_overlap_of_the_pixels_that_count(ignore, iou, dice, key):
    """Guesses 0 0 1 0 against 0 1 1 9: of the first three, each class has one of two. Without those
    that are 1 (and the last, as nothing) there is one pixel of class 0, and it is right."""
    image = 5.0 * jax.nn.one_hot(jnp.array([[[0, 0, 1, 0]]]), 2)
    label = jnp.array([[[0, 1, 1, 9]]]) if ignore == 9 else jnp.array([[[0, 1, 1, 1]]])
    task = segmentation(Given(), ignore=ignore)
    batch = {"image": image, "label": label, "mask": jnp.ones(1)}
    measured = task.evaluate(*task.init(key, batch), batch, key)
    np.testing.assert_allclose(measured["iou"].value, iou, rtol=1e-6)
    np.testing.assert_allclose(measured["dice"].value, dice, rtol=1e-6)


def test_distributions_over_pixels_are_measured_by_their_likeliest_class(key):
    rng = np.random.default_rng(0)
    image = jnp.asarray(rng.normal(size=(2, 4, 4, 3)), jnp.float32)
    label = rng.integers(0, 3, (2, 4, 4))
    task = segmentation(Given())
    found = []
    for given in map(jnp.asarray, (label, np.eye(3, dtype=np.float32)[label])):
        batch = {"image": image, "label": given, "mask": jnp.ones(2)}
        found.append(task.evaluate(*task.init(key, batch), batch, key))
    assert set(found[0]) == {"loss", "accuracy", "iou", "dice"}
    for name in found[0]:
        assert found[0][name].value == found[1][name].value, name
