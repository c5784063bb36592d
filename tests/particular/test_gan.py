"""The first GAN: its two networks."""

import jax
import jax.numpy as jnp
import numpy as np

from dljax import models
from dljax.models.adversarial import gan


def count(tree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def test_gan_parts_have_the_published_counts(key):
    for module, given, published in zip(
        models.build(gan, "mnist").parts(),
        (jnp.zeros((2, 100)), jnp.zeros((2, 28, 28, 1))),
        (2_503_984, 1_231_441),
        strict=True,
    ):
        shapes = jax.eval_shape(lambda x, m=module: m.init(key, x, train=False), given)
        assert count(shapes["params"]) == published


def test_maxout_by_hand(key):
    """Two units of two pieces, x and -x, and 2x and 0: |x| and max(2x, 0), then the same on these."""
    _, discriminator = models.build(gan, "tiny", units=2, pieces=2).parts()
    image = jnp.array([[1.5], [-3.0]]).reshape(2, 1, 1, 1)
    params = {
        "hidden0": {"kernel": jnp.array([[1.0, -1.0, 2.0, 0.0]]), "bias": jnp.zeros(4)},
        # Units max(a, b) and max(1, -1), of a = |x| and b = max(2x, 0)
        "hidden1": {
            "kernel": jnp.array([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]),
            "bias": jnp.array([0.0, 0.0, 1.0, -1.0]),
        },
        "output": {"kernel": jnp.array([[1.0], [10.0]]), "bias": jnp.zeros(1)},
    }
    logit = discriminator.apply({"params": params}, image, train=False)
    np.testing.assert_allclose(logit, [3.0 + 10.0, 3.0 + 10.0], rtol=1e-6)  # max(1.5, 3), max(3, 0)
    dropped = discriminator.apply(
        {"params": params}, image, train=True, rngs={"dropout": jax.random.key(1)}
    )
    assert (dropped != logit).any()


def test_images_are_gray_levels(key):
    generator, _ = models.build(gan, "tiny").parts()
    made, _ = generator.init_with_output(key, 100 * jnp.ones((2, 4)), train=False)
    assert made.shape == (2, 28, 28, 1) and 0 <= made.min() and made.max() <= 1
