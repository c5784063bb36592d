"""The restricted Boltzmann machine of 4 visible and 3 hidden units, all of whose states are known."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dljax import models
from dljax.axes import ROWS
from dljax.models.energy import rbm
from dljax.rules.contrastive_divergence import contrastive_divergence, gibbs_samples
from dljax.types import Variables

# Of NumPy's default_rng(0), and of data, to eight digits: enumerated elsewhere; scikit-learn's free energies agree.
W = np.array(
    [
        [0.12573022, -0.13210486, 0.64042265, 0.10490012],
        [-0.53566937, 0.36159505, 1.30400005, 0.94708096],
        [-0.70373524, -1.26542147, -0.62327446, 0.04132598],
    ]
).T
B = np.array([-0.73226735, -0.54425898, -0.31630016, 0.41163054])
C = np.array([-2.32503077, -0.21879166, -1.24591095])
FREE_ENERGY = """-0.93585469 -1.89912399 -1.37358736 -2.58716401 -0.38307793 -1.41922091 -0.99079579
-2.24262701 0.10860711 -0.72789106 -0.22110111 -1.34820983 0.62855034 -0.28673717 0.15325916 -1.03038401"""
DATA = np.array([[0, 0, 1, 1], [0, 1, 0, 1], [1, 0, 0, 1], [1, 1, 1, 0]], np.float32)
GRADIENT = {  # of the log-likelihood of DATA
    "weight": np.array(
        [
            [0.03085091, 0.00734829, -0.0267576, -0.01697491],
            [0.15164305, 0.0402206, -0.16298018, -0.06989076],
            [0.0218963, 0.00560344, -0.017941, 0.0036973],
        ]
    ).T,
    "visible_bias": np.array([0.26475262, 0.09778671, -0.15965232, -0.00430501]),
    "hidden_bias": np.array([-0.00964487, -0.04664541, -0.01801233]),
}
STATES = np.array(list(itertools.product([0, 1], repeat=4)), np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def machine(weight=W, visible_bias=B, hidden_bias=C):
    given = {"weight": weight, "visible_bias": visible_bias, "hidden_bias": hidden_bias}
    params = {name: jnp.asarray(x, jnp.float32) for name, x in given.items()}
    return models.build(rbm, "tiny", visible=4, hidden=3), params


def moved(batch, *, k, params=None, persistent=False, steps=1):
    """What the rule adds to the parameters at a rate of 1 in the last of ``steps``, and its state."""
    model, own = machine()
    learner = contrastive_divergence(model, optax.sgd(1.0), k=k, persistent=persistent)
    batch = {"image": jnp.asarray(batch)}
    state = jax.jit(learner.init)(jax.random.key(3), batch)
    update = jax.jit(learner.update)
    for _ in range(steps):
        state = state._replace(params={"model": own if params is None else params})
        before = state.params["model"]
        state, _ = update(state, batch)
    return jax.tree.map(jnp.subtract, state.params["model"], before), state


def test_free_energy_is_that_of_enumeration():
    """F(v) = -log sum_h exp(-E(v, h)), E written out; and the values found elsewhere."""
    model, params = machine()
    found = model.apply({"params": params}, jnp.asarray(STATES), train=False)
    hidden = np.array(list(itertools.product([0, 1], repeat=3)))
    energy = np.array([[-v @ B - h @ C - v @ W @ h for h in hidden] for v in STATES])
    np.testing.assert_allclose(found, -np.log(np.exp(-energy).sum(1)), atol=1e-6)
    np.testing.assert_allclose(found, [float(x) for x in FREE_ENERGY.split()], atol=1e-6)


def expected(k: int, weight=W, b=B, c=C) -> dict[str, np.ndarray]:
    """The mean of CD-k's step over its draws, from the matrix of transitions between the 16 states."""
    hidden = np.array(list(itertools.product([0, 1], repeat=3)))
    up, down = sigmoid(c + STATES @ weight), sigmoid(b + hidden @ weight.T)
    to_hidden = np.prod(np.where(hidden[None], up[:, None], 1 - up[:, None]), -1)
    to_visible = np.prod(np.where(STATES[None] > 0, down[:, None], 1 - down[:, None]), -1)
    after = np.linalg.matrix_power(to_hidden @ to_visible, k)
    start = np.array([(DATA == v).all(1).mean() for v in STATES])
    change = start - start @ after
    return {
        "weight": np.einsum("n,ni,nj->ij", change, STATES, up),
        "visible_bias": change @ STATES,
        "hidden_bias": change @ up,
    }


def farthest(a, b):
    return max(np.abs(a[name] - b[name]).max() for name in a)


@pytest.mark.parametrize("k", [1, 2])
def test_a_step_is_that_of_k_draws(k):
    """Of 40,000 chains, whose mean deviates by 0.0025 at most; the units hold each other in pairs, so that the
    chains mix slowly."""
    pairs = 4 * np.eye(4, 3), np.array([0.0, -1, -2, 0]), np.array([-1, -2.5, -1])
    found, _ = moved(np.tile(DATA, (10_000, 1)), k=k, params=machine(*pairs)[1])
    assert farthest(expected(k, *pairs), found) < 0.01
    assert min(farthest(expected(k, *pairs), expected(o, *pairs)) for o in (k - 1, k + 1)) > 0.03


def test_many_steps_follow_the_likelihood():
    """CD-1 does not, in expectation; CD-k comes to it. The mean of 40,000 chains deviates by 0.0025."""
    assert farthest(expected(1), GRADIENT) > 0.0125
    assert farthest(expected(15), GRADIENT) < 1e-6
    found, _ = moved(np.tile(DATA, (10_000, 1)), k=15)
    assert farthest(found, GRADIENT) < 0.01


def test_hidden_units_count_by_their_probabilities():
    """Without weights these are 1/2 before and after: a rule that took draws would move their biases."""
    _, params = machine(np.zeros((4, 3)), np.zeros(4), np.zeros(3))
    found, _ = moved(np.zeros((64, 4), np.float32), k=1, params=params)
    np.testing.assert_array_equal(found["hidden_bias"], np.zeros(3))
    assert -0.8 < found["visible_bias"].min() and found["visible_bias"].max() < -0.2


def test_chains_go_on():
    """A unit that must be 1 is 1 in all chains after a step; what copies another's draw keeps it for ever.

    Visible unit 0 is free of the hidden ones; unit 1 and hidden unit 0 hold each other: once 1, always 1.
    """
    weight = np.zeros((4, 3))
    weight[1, 0] = 60
    _, params = machine(weight, [100, -30, 0, 0], [-30, 0, 0])
    data = np.zeros((64, 4), np.float32)
    _, first = moved(data, k=1, params=params, persistent=True)
    found, last = moved(data, k=1, params=params, persistent=True, steps=3)
    chain = first.extra["model"][ROWS]["chain"]
    assert 10 < chain[:, 1].sum() < 54, "half of the chains began with it"
    np.testing.assert_array_equal(last.extra["model"][ROWS]["chain"][:, 1], chain[:, 1])
    np.testing.assert_array_equal(last.extra["model"][ROWS]["chain"][:, 0], 1)
    assert not (last.extra["model"][ROWS]["chain"][:, 2] == chain[:, 2]).all()
    # From the data, which have none of it, no chain would come to it.
    assert found["visible_bias"][1] == -chain[:, 1].mean() and found["visible_bias"][0] == -1
    assert moved(data, k=1, params=params)[0]["visible_bias"][1] == 0


def test_samples_are_of_the_model():
    """The mean of 4000 chains is that of all states' probabilities; a deviation is below 0.008."""
    model, params = machine()
    sample = gibbs_samples(model, (2, 2), 30)
    found = np.asarray(sample(Variables({"model": params}, {}), jax.random.key(0), 4000))
    chance = np.exp([-float(x) for x in FREE_ENERGY.split()])
    assert found.shape == (4000, 2, 2)
    wanted = chance @ STATES / chance.sum()
    np.testing.assert_allclose(found.reshape(-1, 4).mean(0), wanted, atol=0.03)
