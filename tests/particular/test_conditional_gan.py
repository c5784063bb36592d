"""The conditional GAN: both players hear the class."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax import models
from dljax.models.adversarial import conditional_gan
from dljax.tasks.adversarial import adversarial


@pytest.mark.parametrize(
    "variant, side, published",
    [("28", 28, (1_511_412, 932_965)), ("32", 32, (1_757_412, 1_055_845))],
)
def test_conditional_gan_parts_have_the_published_counts(variant, side, published, key):
    examples, label = (jnp.zeros((2, 100)), jnp.zeros((2, side, side, 1))), jnp.zeros(2, jnp.int32)
    parts = models.build(conditional_gan, variant).parts()
    for module, given, number in zip(parts, examples, published, strict=True):
        shapes = jax.eval_shape(lambda x, m=module: m.init(key, x, label, train=False), given)
        assert sum(leaf.size for leaf in jax.tree.leaves(shapes["params"])) == number


def test_another_label_is_another_image_and_another_verdict(key):
    """And in a game each player's loss depends on the labels of what is made and of what is real."""
    model = models.build(conditional_gan, "tiny")
    task = adversarial(*model.parts(), model.latent, classes=10)
    image = jax.random.uniform(key, (4, 28, 28, 1)) * 2 - 1
    ones, twos = ({"image": image, "label": jnp.full(4, i)} for i in (1, 2))
    params, extra = jax.jit(task.init)(key, ones)
    given = {"generator": jnp.zeros((4, 4)), "discriminator": image}
    for part, player in zip(model.parts(), given, strict=True):
        variables = {"params": params[player], **extra[player]}
        out = [part.apply(variables, given[player], b["label"], train=False) for b in (ones, twos)]
        assert not np.allclose(*out)
    for player in task.losses:
        values = [task.losses[player](params, extra, b, key)[0] for b in (ones, twos)]
        assert abs(values[0] - values[1]) > 1e-4
