"""U-Net: its initial weights, and maps of the input's size."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from dljax import models
from dljax.learner import learn
from dljax.models.segmentation import unet
from dljax.tasks.segmentation import segmentation


def test_unet_starts_at_the_paper_s_deviation(key):
    """sqrt(2 / N), Ronneberger et al. section 3; counted layer by layer, not by the initializer."""
    model = models.build(unet, "small")
    params = jax.jit(lambda k: model.init(k, jnp.zeros((1, 16, 16, 1)), train=False))(key)["params"]
    seen = 0
    for path, kernel in jax.tree_util.tree_leaves_with_path(params):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        if name.endswith("bias"):
            assert not kernel.any()
            continue
        # An up-convolution's pixel is made of one input pixel, another one's of a whole window.
        window = 1 if name.startswith("upsample") else kernel.shape[0] * kernel.shape[1]
        expected = np.sqrt(2 / (window * kernel.shape[2]))
        # Four standard errors of the deviation of so many draws.
        np.testing.assert_allclose(
            kernel.std(), expected, rtol=4 / np.sqrt(2 * kernel.size), err_msg=name
        )
        seen += 1
    assert seen == 2 * 7 + 3 + 1


def test_unet_keeps_the_size_and_learns(key):
    model = models.build(unet, "tiny", classes=2)
    label = (jax.random.uniform(key, (4, 16, 24)) < 0.5).astype(jnp.int32)
    batch = {"image": label[..., None].astype(jnp.float32), "label": label}
    learner = learn(segmentation(model), optax.adam(0.01))
    state, update = jax.jit(learner.init)(key, batch), jax.jit(learner.update)
    for _ in range(80):
        state, _ = update(state, batch)
    accuracy = jax.jit(learner.evaluate)(state, batch)["accuracy"]
    assert accuracy.count == 4 * 16 * 24 and accuracy.value > 0.98
