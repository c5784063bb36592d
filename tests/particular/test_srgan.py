"""SRGAN: its game."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dljax import models
from dljax.learner import learn
from dljax.models.super_resolution import srgan
from dljax.tasks.super_resolution import layer, realistic_enlargement


class Repeat(nn.Module):
    """Pixels repeated, times a scale."""

    @nn.compact
    def __call__(self, image, *, train: bool):
        image = self.param("scale", nn.initializers.ones, ()) * image
        return jnp.repeat(jnp.repeat(image, 2, 1), 2, 2)


class Brightness(nn.Module):
    """A classifier of one layer, twice the image; it has a layer that nothing looks at besides."""

    @nn.compact
    def __call__(self, image, *, train: bool):
        twice = nn.Dense(3, kernel_init=lambda *_: 2 * jnp.eye(3), use_bias=False, name="twice")
        return nn.Dense(2, name="output")(twice(image))


@pytest.fixture(scope="module")
def batch():
    image = jax.random.uniform(jax.random.key(1), (2, 8, 8, 3))
    high = jnp.repeat(jnp.repeat(image, 2, 1), 2, 2) + 0.5
    return {"image": image, "high": high}


@pytest.mark.parametrize("seen, content", [("pixels", 0.25), ("features", None)])
def test_losses_by_hand(seen, content, batch, key):
    """Where D says 1/2 to everything, 2 log 2 and content + weight log 2. All pixels are off by 0.5: a content of
    0.25; of features that are twice the standardized pixels, the mean over channels of (2 x 0.5 / deviation)^2.
    """
    judge = models.build(srgan, "tiny")
    given = {}
    if seen == "features":
        network = Brightness()
        given = {"features": layer(network, "twice"), "network": network}
        content = np.mean((1 / np.array([0.229, 0.224, 0.225])) ** 2)
    task = realistic_enlargement(Repeat(), judge, 0.1, **given)
    assert list(task.losses) == ["discriminator", "generator"]
    params, extra = jax.jit(task.init)(key, batch)
    params = {**params, "discriminator": jax.tree.map(jnp.zeros_like, params["discriminator"])}
    value, _ = task.losses["discriminator"](params, extra, batch, key)
    np.testing.assert_allclose(value, 2 * np.log(2), rtol=1e-6)
    value, aux = task.losses["generator"](params, extra, batch, key)
    np.testing.assert_allclose(value, content + 0.1 * np.log(2), rtol=1e-5)
    np.testing.assert_allclose(aux.metrics["content"], content, rtol=1e-5)
    measured = task.evaluate(params, extra, {**batch, "mask": jnp.array([1.0, 0.0])}, key)
    assert {name: round(float(mean.value), 5) for name, mean in measured.items()} == {
        "content": 0.25,
        "real": 0.5,
        "fake": 0.5,
    }


def test_each_player_moves_itself_alone_and_features_stay(batch, key):
    network = Brightness()
    judge = models.build(srgan, "tiny")
    task = realistic_enlargement(Repeat(), judge, 1.0, layer(network, "twice"), network)
    for mover, other in (("discriminator", "generator"), ("generator", "discriminator")):
        learner = learn(task, {mover: optax.sgd(0.1), other: optax.set_to_zero()})
        before = jax.jit(learner.init)(key, batch)
        after, _ = jax.jit(learner.update)(before, batch)
        moved = jax.tree.map(lambda a, b: bool((a != b).any()), before.params, after.params)
        assert any(jax.tree.leaves(moved.pop(mover))), mover
        assert not any(jax.tree.leaves(moved)), moved
