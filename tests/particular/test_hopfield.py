"""The Hopfield net: its energy, its sweeps, and the rules that store patterns in it."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax import models
from dljax.models.energy import hopfield
from dljax.rules.hopfield import hebb, projection, turned

N = 800


def net(units, **changes):
    return models.build(hopfield, "tiny", units=units, **changes)


def given(weight):
    return {"params": {"weight": jnp.asarray(weight, jnp.float32)}}


def spins(*shape, seed=0):
    draws = np.random.default_rng(seed).integers(0, 2, shape)
    return jnp.asarray(2 * draws - 1, jnp.float32)


def test_energy_counts_each_pair_once():
    """-(1 s0 s1 - 2 s0 s2 + 3 s1 s2) by hand for all eight states."""
    weight = [[0, 1, -2], [1, 0, 3], [-2, 3, 0]]
    states = np.array(list(itertools.product([-1, 1], repeat=3)), np.float32)
    a, b, c = states.T
    found = net(3).apply(given(weight), jnp.asarray(states), method="energy")
    np.testing.assert_array_equal(found, -(a * b - 2 * a * c + 3 * b * c))


def test_units_change_one_after_the_other():
    """Two that attract each other: at once, they would change places for ever; in order, the first follows."""
    start = jnp.asarray([[1.0, -1.0]])
    found = net(2).apply(given([[0, 1], [1, 0]]), start, method="sweep")
    np.testing.assert_array_equal(found, [[-1.0, -1.0]])


def test_a_unit_without_input_stays():
    start = jnp.asarray([[1.0, -1.0, 1.0, -1.0]])
    found = net(4).apply(given(np.zeros((4, 4))), start, train=False)
    np.testing.assert_array_equal(found, start)


def test_energy_never_rises():
    """Of any symmetric weights without a diagonal, sweep by sweep, until nothing moves."""
    rng = np.random.default_rng(1)
    weight = rng.normal(size=(32, 32))
    weight = weight + weight.T - np.diag(np.diag(weight + weight.T))
    model, states = net(32, sweeps=50), [spins(20, 32)]
    sweep = jax.jit(lambda s: model.apply(given(weight), s, method="sweep"))
    for _ in range(12):
        states.append(sweep(states[-1]))
    energy = [np.asarray(model.apply(given(weight), s, method="energy")) for s in states]
    assert (np.diff(energy, axis=0) <= 1e-3).all() and (energy[0] - energy[-1]).min() > 10
    np.testing.assert_array_equal(states[-1], states[-2])
    rest = model.apply(given(weight), states[0], train=False)
    np.testing.assert_array_equal(rest, states[-1])


def test_hebb_by_hand(key):
    """The sum of outer products over the number of units, without its diagonal."""
    batch = {"image": jnp.asarray([[1.0, 1, -1, -1], [1, -1, 1, -1]])}
    learner = hebb(net(4))
    state, metrics = learner.update(learner.init(key, batch), batch)
    by_hand = np.array([[0, 0, 0, -2], [0, 0, -2, 0], [0, -2, 0, 0], [-2, 0, 0, 0]]) / 4
    np.testing.assert_array_equal(state.params["model"]["weight"], by_hand)
    assert metrics["stored"] == 2 and learner.update(state, batch)[1]["stored"] == 4
    # Each has the field 1/2 of its own sign at every unit: -1/2 x 4 x 1/2 over 4 units.
    assert metrics["model/loss"] == -0.25


@pytest.mark.parametrize("load, part", [(0.15, 0.0049), (0.5, 0.0786)])
def test_unstable_bits_are_those_of_theory(key, load, part):
    """1/2 erfc(1 / sqrt(2 load)); the deviation of a part of so many bits is below a tenth of it."""
    batch = {"image": spins(round(load * N) + 1, N)}  # one pattern is no noise to itself
    learner = hebb(net(N, sweeps=1))
    state, _ = learner.update(learner.init(key, batch), batch)
    found = learner.evaluate(state, {**batch, "mask": jnp.ones(len(batch["image"]))})
    assert float(found["unstable"].value) == pytest.approx(part, rel=0.15)


def test_projection_is_least_squares_of_symmetric_weights(key):
    """Correlated patterns that Hebb's rule does not keep are fixed points: W s = s."""
    patterns = jnp.where(jax.random.uniform(key, (6, 40)) < 0.2, 1.0, -1.0)
    batch = {"image": patterns}
    learner, simple = projection(net(40), noise=0.0), hebb(net(40))
    state = learner.init(key, batch)
    state, metrics = jax.jit(
        lambda s: jax.lax.scan(lambda s, _: learner.update(s, batch), s, None, 3000)
    )(state)
    weight = np.asarray(state.params["model"]["weight"])
    np.testing.assert_allclose(patterns @ weight, patterns, atol=1e-3)  # of a rate's last steps
    np.testing.assert_allclose(weight, weight.T, atol=1e-6)  # rounding of 3000 sums
    np.testing.assert_array_equal(np.diag(weight), 0)
    np.testing.assert_allclose(metrics["model/loss"][-1], -0.5, atol=1e-3)
    assert learner.evaluate(state, batch)["recalled"].value == 1
    assert (
        simple.evaluate(simple.update(simple.init(key, batch), batch)[0], batch)["recalled"].value
        < 1
    )


def test_noise_turns_its_part_of_the_bits(key):
    pattern = spins(50, N)
    found = np.asarray(turned(key, pattern, 0.3))
    assert set(np.unique(found)) == {-1.0, 1.0}
    # 40,000 bits: a deviation of 0.0023.
    assert (found != pattern).mean() == pytest.approx(0.3, abs=0.01)
