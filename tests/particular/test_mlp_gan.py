"""Generators and critics of fully connected layers."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dljax import models
from dljax.learner import learn
from dljax.models.adversarial import mlp_gan
from dljax.tasks.adversarial import adversarial, clipped, wasserstein


def count(tree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize(
    "variant, shape, published",
    [("28", (28, 28, 1), (1_510_032, 533_505)), ("points", (2,), (527_874, 527_361))],
)
def test_mlp_gan_parts_have_the_published_counts(variant, shape, published, key):
    model = models.build(mlp_gan, variant)
    examples = jnp.zeros((2, model.latent)), jnp.zeros((2, *shape))
    for module, given, number in zip(model.parts(), examples, published, strict=True):
        shapes = jax.eval_shape(lambda x, m=module: m.init(key, x, train=False), given)
        assert count(shapes["params"]) == number


def test_normalization_is_by_0_8_more_than_the_variance(key):
    """One unit of values -1 and 1: +-1 / sqrt(1 + 0.8), and the average keeps 0.9 of its past."""
    generator, critic = models.build(mlp_gan, "tiny", shape=(1,), hidden=(1, 1)).parts()
    ones, none = {"kernel": jnp.ones((1, 1)), "bias": jnp.zeros(1)}, jnp.zeros(1)
    params = {
        "hidden0": {"kernel": jnp.array([[1.0]]), "bias": jnp.array([2.0])},
        "hidden1": ones,
        "norm1": {"scale": jnp.ones(1), "bias": none},
        "output": ones,
    }
    state = {"norm1": {"mean": none, "var": jnp.ones(1)}}
    made, changed = generator.apply(
        {"params": params, "batch_stats": state},
        jnp.array([[-1.0], [1.0]]),
        train=True,
        mutable=["batch_stats"],
    )
    level = 1 / np.sqrt(1.8)
    np.testing.assert_allclose(made, [[-0.2 * level], [level]], rtol=1e-6)
    np.testing.assert_allclose(changed["batch_stats"]["norm1"]["mean"], [0.2], rtol=1e-6)
    assert "batch_stats" not in critic.init(key, jnp.zeros((2, 1)), train=False)


@pytest.mark.parametrize("penalty", [0.0, 10.0])
def test_both_games_train_the_players_that_they_name(penalty):
    model = models.build(mlp_gan, "tiny")
    task = adversarial(*model.parts(), model.latent, game=wasserstein(penalty))
    batch = {"image": jax.random.uniform(jax.random.key(1), (8, 28, 28, 1)) * 2 - 1}
    tx = {"discriminator": clipped(optax.sgd(0.1), 0.01), "generator": optax.sgd(0.1)}
    learner = learn(task, tx, every={"generator": 2})
    state = jax.jit(learner.init)(jax.random.key(0), batch)
    update = jax.jit(learner.update)
    for _ in range(2):
        before, (state, metrics) = state, update(state, batch)
    moved = jax.tree.map(lambda a, b: bool((a != b).any()), before.params, state.params)
    assert all(jax.tree.leaves(moved["generator"]))
    largest = max(float(jnp.abs(x).max()) for x in jax.tree.leaves(state.params["discriminator"]))
    assert largest <= 0.01 + 1e-8 and ("slope" in metrics) == bool(penalty)
