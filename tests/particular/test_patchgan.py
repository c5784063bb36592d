"""PatchGAN: what a patch sees."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax import models
from dljax.models.adversarial import patchgan


@pytest.mark.parametrize("layers, sees", [(1, 16), (3, 70)])
def test_a_logit_sees_a_patch(layers, sees, key, monkeypatch):
    """Rows and columns of the image that move the middle logit: without norms, whose statistics see all."""
    monkeypatch.setattr(patchgan, "instance_norm", lambda x: x)
    model = models.build(patchgan, "70", layers=layers, width=2)
    image = jax.random.normal(key, (1, 96, 96, 1))
    params = model.init(key, image, train=False)

    def middle(image):
        out = model.apply(params, image, train=False)
        return out[0, out.shape[1] // 2, out.shape[2] // 2]

    moved = np.abs(jax.jit(jax.grad(middle))(image))[0, ..., 0] > 0
    assert [moved.any(axis).sum() for axis in (0, 1)] == [sees, sees]


def test_patches_of_a_large_image(key):
    """30 x 30 of 256 x 256 pixels, as in the authors' code."""
    model, image = models.build(patchgan, "70"), jnp.zeros((1, 256, 256, 3))
    shape = jax.eval_shape(lambda x: model.init_with_output(key, x, train=False)[0], image).shape
    assert shape == (1, 30, 30)
