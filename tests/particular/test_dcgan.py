"""DCGAN: its two networks, and their losses."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dljax import axes, models
from dljax.learner import learn
from dljax.models.adversarial import dcgan
from dljax.tasks.adversarial import adversarial
from dljax.tasks.linen import forward
from dljax.types import Variables


def count(tree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


@pytest.fixture(scope="module")
def game():
    model = models.build(dcgan, "tiny")
    task = adversarial(*model.parts(), model.latent)
    batch = {"image": jax.random.uniform(jax.random.key(1), (8, 28, 28, 1)) * 2 - 1}
    return model, task, batch, *jax.jit(task.init)(jax.random.key(0), batch)


def test_dcgan_parts_have_the_published_counts(key):
    generator, discriminator = models.build(dcgan, "64").parts()
    noise, image = jnp.zeros((2, 100)), jnp.zeros((2, 64, 64, 3))
    for module, given, published in (
        (generator, noise, 3_576_704),
        (discriminator, image, 2_765_568),
    ):
        shapes = jax.eval_shape(lambda x, m=module: m.init(key, x, train=False), given)
        assert count(shapes["params"]) == published
    made = jax.eval_shape(lambda z: generator.init_with_output(key, z, train=False)[0], noise)
    assert made.shape == image.shape


def test_order_and_targets(game):
    _, task, batch, params, extra = game
    assert list(task.losses) == ["discriminator", "generator"]
    zeros = jax.tree.map(jnp.zeros_like, params)  # the discriminator then says 1/2 to everything
    key = jax.random.key(2)
    value, _ = task.losses["discriminator"](zeros, extra, batch, key)
    np.testing.assert_allclose(value, 2 * np.log(2), rtol=1e-6)
    value, _ = task.losses["generator"](zeros, extra, batch, key)
    np.testing.assert_allclose(value, np.log(2), rtol=1e-6)


def test_each_player_moves_itself_alone(game):
    _, task, batch, _, _ = game
    for mover, other in (("discriminator", "generator"), ("generator", "discriminator")):
        rates = {mover: optax.sgd(0.1), other: optax.set_to_zero()}
        learner = learn(task, rates)
        before = jax.jit(learner.init)(jax.random.key(0), batch)
        after, metrics = jax.jit(learner.update)(before, batch)
        moved = jax.tree.map(lambda a, b: bool((a != b).any()), before.params, after.params)
        assert all(jax.tree.leaves(moved[mover])), mover
        assert not any(jax.tree.leaves(moved[other])), other
        assert metrics[f"{mover}/grad_norm"] > 0


def test_batch_statistics_are_of_real_and_made_images_apart(game):
    """After one pass each: 0.9 (0.9 old + 0.1 real) + 0.1 made, layer by layer."""
    model, task, batch, params, extra = game
    generator, discriminator = model.parts()
    key = jax.random.key(3)
    _, aux = task.losses["discriminator"](params, extra, batch, key)
    noise = axes.normal(jax.random.split(jax.random.split(key, 3)[0])[1], (8, model.latent))
    made, _ = forward(
        generator, params["generator"], extra["generator"], noise, key=None, train=True
    )
    state = extra["discriminator"]
    for image in (batch["image"], made):
        _, state = forward(
            discriminator, params["discriminator"], state, image, key=None, train=True
        )
    # Two compilations of the same sums: float32 rounding.
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
        aux.extra["discriminator"],
        state,
    )


def test_a_game_measures_and_samples(game):
    """With padding, against what the generator makes of the same noise; samples are in 0..1."""
    model, task, batch, params, extra = game
    generator, discriminator = model.parts()
    key = jax.random.key(4)
    given = params["generator"], extra["generator"]

    def made(noise):
        return forward(generator, *given, noise, key=None, train=False)[0]

    mask = jnp.array([1.0] * 5 + [0.0] * 3)
    measured = task.evaluate(params, extra, {**batch, "mask": mask}, key)
    assert set(measured) == {"real", "fake"}
    image = made(axes.normal(jax.random.split(key)[1], (8, model.latent)))
    judge = params["discriminator"], extra["discriminator"]
    logit, _ = forward(discriminator, *judge, image, key=None, train=False)
    # Two compilations of the same sums: float32 rounding.
    np.testing.assert_allclose(
        measured["fake"].value, np.mean(1 / (1 + np.exp(-np.asarray(logit[:5])))), rtol=1e-5
    )
    noise = jax.random.normal(key, (3, model.latent))
    np.testing.assert_allclose(
        task.sample(Variables(params, extra), key, 3), (made(noise) + 1) / 2, atol=1e-6
    )
