"""The Boltzmann machine: energy, expectations over all states, and the samples that stand in for them."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dljax import models
from dljax.models.energy import boltzmann
from dljax.rules.boltzmann import boltzmann_learning, by_enumeration, by_sampling

EDGES = [(0, 1), (2, 3), (0, 4), (1, 4), (2, 4), (3, 4)]  # groups {0, 1} and {2, 3}, hidden 4
DATA = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [0, 1, 1, 1]], np.float32)
STATES = np.array(list(itertools.product([0, 1], repeat=5)), np.float64)


def given(seed=0, scale=1.0):
    """(the tiny machine, its parameters, a weight for each edge, biases)."""
    rng = np.random.default_rng(seed)
    edges, bias = scale * rng.normal(size=len(EDGES)), scale * rng.normal(size=5)
    weight = np.zeros((5, 5))
    for (i, j), w in zip(EDGES, edges, strict=True):
        weight[i, j] = weight[j, i] = w
    params = {"weight": jnp.asarray(weight, jnp.float32), "bias": jnp.asarray(bias, jnp.float32)}
    return models.build(boltzmann, "tiny"), params, edges, bias


def energy(states, edges, bias):
    """Each edge once, written out."""
    pairs = sum(w * states[:, i] * states[:, j] for (i, j), w in zip(EDGES, edges, strict=True))
    return -pairs - states @ bias


def log_likelihood(edges, bias):
    weigh = np.exp(-energy(STATES, edges, bias))
    rows = [(STATES[:, :4] == v).all(1) for v in DATA]
    return np.mean([np.log(weigh[row].sum() / weigh.sum()) for row in rows])


def test_energy_is_that_of_the_edges():
    """Weights where there is no edge count for nothing, and those of the two directions are one."""
    model, params, edges, bias = given()
    weight = params["weight"].at[0, 2].add(7.0).at[3, 3].add(7.0)  # no edges
    weight = weight.at[0, 1].add(0.5).at[1, 0].add(-0.5)
    found = model.apply(
        {"params": {**params, "weight": weight}}, jnp.asarray(STATES, jnp.float32), method="energy"
    )
    np.testing.assert_allclose(found, energy(STATES, edges, bias), atol=1e-5)


def test_free_energy_leaves_the_hidden_unit_out():
    model, params, edges, bias = given()
    found = model.apply({"params": params}, jnp.asarray(DATA), train=False)
    rest = [np.exp(-energy(STATES[(STATES[:, :4] == v).all(1)], edges, bias)).sum() for v in DATA]
    np.testing.assert_allclose(found, -np.log(rest), atol=1e-5)


def test_a_step_climbs_the_likelihood(key):
    """Along the slope of each edge and bias, by differences of the likelihood as written out in float64."""
    model, params, edges, bias = given()
    learner = boltzmann_learning(model, optax.sgd(1.0))
    batch = {"image": jnp.asarray(DATA)}
    state = learner.init(key, batch)._replace(params={"model": params})
    after, metrics = jax.jit(learner.update)(state, batch)
    assert metrics["model/loss"] == pytest.approx(-log_likelihood(edges, bias), rel=1e-5)
    moved = jax.tree.map(jnp.subtract, after.params["model"], params)

    def slope(at, change):
        return (change(at, 1e-5) - change(at, -1e-5)) / 2e-5

    for e, (i, j) in enumerate(EDGES):
        by_hand = slope(e, lambda e, d: log_likelihood(edges + d * np.eye(6)[e], bias))
        assert moved["weight"][i, j] == pytest.approx(by_hand, abs=1e-5)
        assert moved["weight"][j, i] == moved["weight"][i, j]
    for i in range(5):
        by_hand = slope(i, lambda i, d: log_likelihood(edges, bias + d * np.eye(5)[i]))
        assert moved["bias"][i] == pytest.approx(by_hand, abs=1e-5)
    assert moved["weight"][0, 2] == 0 and moved["weight"][4, 4] == 0


def test_samples_come_to_the_expectations(key):
    """Of 4000 chains of 10 sweeps: a mean of so many bits deviates by 0.008 at most."""
    model, params, _, _ = given(scale=0.7)
    image = jnp.tile(jnp.asarray(DATA), (1334, 1))
    found = jax.jit(by_sampling(model))(params, image, key)
    expected = by_enumeration(model)(params, image, key)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=0.03), found, expected)
    # And the visible units stay where they are clamped.
    np.testing.assert_allclose(found[0]["bias"][:4], DATA.mean(0), atol=1e-5)


@pytest.mark.parametrize("lost, gained", [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
def test_noisy_clamping(key, lost, gained):
    """At chances of 1 the clamped states are known: none, all, or the other units."""
    model, params, _, _ = given()
    learner = boltzmann_learning(model, optax.sgd(1.0), lost=lost, gained=gained)
    batch = {"image": jnp.asarray(DATA)}
    state = learner.init(key, batch)._replace(params={"model": params})
    moved = jax.tree.map(jnp.subtract, learner.update(state, batch)[0].params["model"], params)
    seen = DATA * (1 - lost) + (1 - DATA) * gained
    fixed, free = by_enumeration(model)(params, jnp.asarray(seen), key)
    np.testing.assert_allclose(moved["bias"], fixed["bias"] - free["bias"], atol=1e-6)


def test_hidden_units_begin_unlike(key):
    """A start at zero would keep them alike for ever."""
    model = models.build(boltzmann, "4-2-4")
    state = boltzmann_learning(model, optax.sgd(1.0)).init(key, {"image": jnp.zeros((2, 8))})
    weight = np.asarray(state.params["model"]["weight"])
    np.testing.assert_array_equal(weight, weight.T)
    assert (weight != 0).sum() == 2 * (6 + 6 + 16 + 1) and (weight[8, :8] != weight[9, :8]).all()
