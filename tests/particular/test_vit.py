"""The Vision Transformer: where its decision comes from."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax import models
from dljax.analysis.saliency import grad_cam
from dljax.cli.subject import Subject
from dljax.models.transformers import vit


@pytest.fixture(scope="module")
def net():
    model = models.build(vit, "tiny", layers=2)
    image = jax.random.uniform(jax.random.key(1), (2, 8, 8, 3))
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), image, train=False))
    rng = np.random.default_rng(3)
    variables = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape), x.dtype), shapes)
    return lambda x: model.apply(variables, x, train=False)[:, 0], image


def test_the_last_block_says_nothing_of_the_patches(net):
    """The head reads the class token: a patch counts through the attention of the last block, not behind it."""
    score, image = net
    assert float(jnp.abs(grad_cam(score, image, "block1")).max()) == 0
    assert float(jnp.abs(grad_cam(score, image, "block0")).max()) > 0


def test_inspect_takes_the_block_before():
    shapes = {"embed": (2, 2, 8), "block0/norm1": (5, 8), "block0": (5, 8), "block1": (5, 8)}
    subject = Subject(None, None, None, (), 10, (8, 8, 3), {**shapes, "norm": (8,)}, None)
    assert subject.layer(None, 3) == "block0" and subject.layer("block1", 3) == "block1"
