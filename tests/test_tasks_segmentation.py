"""A class for every pixel."""

import jax.numpy as jnp
import numpy as np

from dljax.tasks.segmentation import overlap


def test_overlap_by_hand():
    guess = jnp.array([[[0, 0], [1, 1]], [[2, 2], [2, 2]]])
    label = jnp.array([[[0, 1], [1, 1]], [[2, 2], [2, 2]]])
    iou, dice = overlap(guess, label, 4, jnp.ones(label.shape, bool))
    # class 0: 1 of 2, class 1: 2 of 3; the second image is right; classes that do not occur are out
    np.testing.assert_allclose(iou, [(1 / 2 + 2 / 3) / 2, 1.0], rtol=1e-6)
    np.testing.assert_allclose(dice, [(2 / 3 + 4 / 5) / 2, 1.0], rtol=1e-6)
