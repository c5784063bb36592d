"""The partition function by enumeration and by annealing; likelihoods; images in black and white."""

import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax import Arrays, EvalSet
from dljax.analysis import partition
from dljax.analysis.partition import Likelihood, Machine, annealed, base_rates, exact
from dljax.data.binary import binarized
from dljax.errors import UserError
from dljax.types import Variables


def machine(v: int, h: int, scale: float = 1.0) -> Machine:
    rng = np.random.default_rng(v)
    return Machine(*(jnp.asarray(scale * rng.normal(size=s), jnp.float32) for s in ((v, h), v, h)))


@pytest.mark.parametrize("v, h", [(4, 3), (3, 5)])
def test_enumeration(v, h):
    """The sum over the states of all units, written out."""
    found = machine(v, h)
    weight, b, c = (np.asarray(x, np.float64) for x in found)
    states = [np.array(s) for s in itertools.product([0, 1], repeat=v + h)]
    total = sum(np.exp(s[:v] @ b + s[v:] @ c + s[:v] @ weight @ s[v:]) for s in states)
    assert exact(found) == pytest.approx(np.log(total), rel=1e-6)


def test_enumeration_in_parts(monkeypatch):
    whole = exact(machine(9, 7))
    monkeypatch.setattr(partition, "_ROWS", 16)
    partition._enumerated.clear_cache()
    assert exact(machine(9, 7)) == pytest.approx(whole, rel=1e-6)


def test_too_many_states_are_refused():
    with pytest.raises(UserError, match=r"2\^23 states.*annealed"):
        exact(machine(30, 23))


def test_independent_units_are_exact(key):
    """Log Z = sum softplus(b) + sum softplus(c): with c = 0 that is H log 2, and no weight varies where a = b."""
    flat = machine(6, 4)._replace(weight=jnp.zeros((6, 4)), hidden_bias=jnp.zeros(4))
    found = annealed(flat, flat.visible_bias, key, runs=3, betas=5)
    by_hand = np.logaddexp(0, np.asarray(flat.visible_bias)).sum() + 4 * np.log(2)
    assert found.log_z == pytest.approx(by_hand, rel=1e-6) and found.error < 1e-5


@pytest.mark.parametrize("runs, betas", [(4000, 2), (200, 200)])
def test_annealing_comes_to_enumeration(key, runs, betas):
    """Within four of its own errors, also in few steps, whose weights vary: their mean is unbiased, the mean of
    their logarithms is too low."""
    found = annealed(machine(8, 6), jnp.zeros(8), key, runs=runs, betas=betas)
    assert 0.001 < found.error < 0.1
    assert abs(found.log_z - exact(machine(8, 6))) < 4 * found.error


def test_error_is_that_of_a_mean(key):
    """Of 16 times as many runs a quarter."""
    few, many = (annealed(machine(8, 6), jnp.zeros(8), key, runs=r, betas=20) for r in (250, 4000))
    assert few.error / many.error == pytest.approx(4, rel=0.25)


def test_rates_by_hand():
    """2 of 3 and 0 of 3, with one of each more: 3/5 and 1/5."""
    rates = base_rates(np.array([[1, 0], [1, 0], [0, 0]]))
    np.testing.assert_allclose(rates, np.log([1.5, 0.25]), rtol=1e-6)


class Free(nn.Module):
    """Free energy of three visible units and one hidden one, with parameters as given."""

    @nn.compact
    def __call__(self, image, *, train: bool):
        weight = self.param("weight", nn.initializers.zeros, (3, 1))
        b, c = (
            self.param(f"{n}_bias", nn.initializers.zeros, s)
            for n, s in (("visible", 3), ("hidden", 1))
        )
        return -image @ b - jax.nn.softplus(image @ weight + c[None]).sum(-1)


def test_likelihoods_add_up_to_one(key):
    """Over all eight states of the visible units; those of independent pixels as well."""
    states = np.array(list(itertools.product([0, 1], repeat=3)), np.float32)
    params = dict(zip(("weight", "visible_bias", "hidden_bias"), machine(3, 1), strict=True))
    every = [EvalSet(Arrays({"image": s[None]})) for s in states]
    found = [
        Likelihood(Free(), every[0], one, runs=2, betas=2)(Variables({"model": params}, {}), key)
        for one in every
    ]
    for name in ("test", "independent"):
        assert sum(np.exp(f[name]) for f in found) == pytest.approx(1, rel=1e-5)
    assert found[3]["training"] == found[0]["test"]


def test_black_and_white():
    """255 as often as the gray level says; the same again; black and white stay."""
    gray = np.full(
        (50, 20, 20, 1), 51, np.uint8
    )  # a fifth of 255: 20,000 draws, a deviation of 0.003
    gray[:, :2], gray[:, 2:4] = 0, 255
    source = Arrays({"image": gray, "label": np.arange(50)}, ("a",))
    found = binarized(source)
    image = found.arrays["image"]
    assert image.dtype == np.uint8 and set(np.unique(image)) == {0, 255}
    assert not image[:, :2].any() and image[:, 2:4].all()
    assert (image[:, 4:] > 0).mean() == pytest.approx(0.2, abs=0.012)
    np.testing.assert_array_equal(image, binarized(source).arrays["image"])
    assert (image != binarized(source, seed=1).arrays["image"]).any()
    assert found.names == ("a",) and (found.arrays["label"] == np.arange(50)).all()
