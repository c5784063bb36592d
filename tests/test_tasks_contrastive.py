"""NT-Xent by hand, by brute force, and over devices."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dljax import Arrays, Pipeline, learn
from dljax.nn import batch_norm
from dljax.runtime.execute import make_executor
from dljax.runtime.profile import Mesh, Profile
from dljax.tasks.contrastive import contrastive, nt_xent
from dljax.types import Variables


def test_of_equal_vectors_seven_are_alike():
    """Eight pictures, each with seven others, none of which is nearer."""
    loss, found = nt_xent(jnp.ones((4, 3)), jnp.ones((4, 3)))
    np.testing.assert_allclose(loss, np.full(4, np.log(7)), rtol=1e-6)
    # The first of equals is taken: for the second of pair 0 its other one, for no other picture.
    np.testing.assert_array_equal(found, [0.5, 0, 0, 0])


def test_equal_pairs_orthogonal_to_the_others():
    """-log e^2 / (e^2 + 6 e^0) at a temperature of 1/2, whatever the vectors' lengths."""
    lengths = jnp.array([[1.0], [5.0], [0.1], [2.0]])
    loss, found = nt_xent(jnp.eye(4), lengths * jnp.eye(4), 0.5)
    np.testing.assert_allclose(loss, np.full(4, 0.594438), rtol=1e-5)
    np.testing.assert_array_equal(found, np.ones(4))


def brute(first: np.ndarray, second: np.ndarray, t: float) -> np.ndarray:
    """Equation 1, pair by pair."""
    z = [v / np.linalg.norm(v) for v in np.concatenate([first, second], dtype=np.float64)]
    n, out = len(first), []
    for k in range(n):
        pair = []
        for i, j in ((k, k + n), (k + n, k)):
            others = [np.exp(z[i] @ z[m] / t) for m in range(2 * n) if m != i]
            pair.append(-np.log(np.exp(z[i] @ z[j] / t) / sum(others)))
        out.append(np.mean(pair))
    return np.array(out)


@pytest.mark.parametrize("t", [0.1, 1.0])
def test_brute_force(t):
    first, second = np.random.default_rng(0).normal(size=(2, 6, 5)).astype(np.float32)
    loss, found = nt_xent(first, second, t)
    np.testing.assert_allclose(loss, brute(first, second, t), rtol=1e-5)
    # A row that pads is nobody's negative.
    counts = jnp.array([1.0, 1, 1, 0, 1, 0])
    padded, _ = nt_xent(first, second, t, counts)
    real = np.asarray(counts) > 0
    np.testing.assert_allclose(padded[real], brute(first[real], second[real], t), rtol=1e-5)


def test_the_gradient_of_brute_force():
    """By central differences, to which the other pictures give as well as a picture's own row."""
    first, second = np.random.default_rng(3).normal(size=(2, 3, 2)).astype(np.float32)
    slope = jax.grad(lambda z: jnp.mean(nt_xent(z, second, 0.5)[0]))(first)
    by_differences = np.zeros((3, 2))
    for at in np.ndindex(3, 2):
        moved = np.zeros((3, 2))
        moved[at] = 1e-5
        sides = (brute(first + sign * moved, second, 0.5).mean() for sign in (1, -1))
        by_differences[at] = np.subtract(*sides) / 2e-5
    np.testing.assert_allclose(slope, by_differences, rtol=1e-4, atol=1e-5)


class Net(nn.Module):
    """Smooth, with a norm over the batch."""

    @nn.compact
    def __call__(self, image, *, train: bool):
        h = jnp.tanh(batch_norm(train=train, name="norm")(nn.Dense(6, name="trunk")(image)))
        return nn.Dense(4, name="head")(h)

    def represent(self, image):
        return 2 * image


LAYOUTS = {
    "data": Profile(mesh=Mesh(data=8)),
    "pmap": Profile(mesh=Mesh(data=8), executor="pmap"),
}


@pytest.fixture(scope="module")
def one():
    return stepped(Profile(mesh=Mesh(data=1)))


def stepped(profile: Profile):
    """(parameters after one step of gradient descent at a rate of 1, what it measured)."""
    image, second = np.random.default_rng(1).normal(size=(2, 16, 5)).astype(np.float32)
    data = Pipeline(Arrays({"image": image, "second": second}), 16)
    executor = make_executor(profile, learn(contrastive(Net(), 0.2), optax.sgd(1.0)), data)
    state, packed = executor.step(executor.init(jax.random.key(3)), executor.place(0, 1), 1)
    return executor.whole(state).params, np.asarray(packed)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_eight_devices_contrast_the_whole_batch(one, layout):
    """The step is the gradient: that of one device, to which the rows of all others have given."""
    params, measured = stepped(LAYOUTS[layout])
    np.testing.assert_allclose(measured, one[1], rtol=1e-5, atol=1e-6)
    # Sums of 32 x 32 scores in another order.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-6), params, one[0])


def test_a_pair_goes_through_the_model_as_one_batch_and_the_trunk_is_what_is_used(key):
    task = contrastive(Net())
    image = np.random.default_rng(2).normal(size=(3, 5)).astype(np.float32)
    batch = {"image": image, "second": image[::-1] + 1}
    params, extra = jax.jit(task.init)(key, {"image": image})
    _, aux = jax.jit(task.losses["model"])(params, extra, batch, key)
    trunk = jax.tree.map(np.asarray, params["model"]["trunk"])
    mean = ((image.mean(0) + 0.5) @ trunk["kernel"]) + trunk["bias"]
    moved = aux.extra["model"]["batch_stats"]["norm"]["mean"]
    np.testing.assert_allclose(moved, 0.1 * mean, atol=1e-6)
    used = task.predict(Variables(params, extra), {"image": image})
    np.testing.assert_array_equal(used, 2 * image)
