"""Equal blocks in a row: written out, computed anew on the way back, and scanned."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from architectures import ALL, DECODERS, module_of, over, tiny

from dljax import learn, models
from dljax.blocks import Blocks, compiled_as
from dljax.data import Arrays, Pipeline
from dljax.nn import stack
from dljax.runtime.execute import make_executor
from dljax.runtime.profile import Profile
from dljax.tasks.language import language
from dljax.tasks.linen import streams

DECODER = next(a for a in DECODERS if a.family == "transformers")
STACKED = [a for a in ALL if a.family == "transformers"]
WAYS = {"remat": Blocks(remat=True), "scan": Blocks(scan=True), "both": Blocks(True, True)}


def loss(model, inputs, rate, params):
    """A number that depends on every output, of a pass in training."""
    rngs = streams(jax.random.key(3)) if rate else None
    out = model.clone(dropout=rate).apply({"params": params}, *inputs, train=True, rngs=rngs)
    out = out[0] if isinstance(out, tuple) else out
    return jnp.sum(jnp.sin(out.astype(jnp.float32)))


@over(STACKED)
@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_all_ways_are_one(architecture, rate):
    model, params, _, inputs = tiny(module_of(architecture), 0.3)
    if model.layers == 1:
        model = model.clone(layers=2)
        shapes = jax.eval_shape(partial(model.init, train=False), jax.random.key(0), **inputs)
        rng = np.random.default_rng(5)
        params = jax.tree.map(
            lambda x: jnp.asarray(0.3 * rng.normal(size=x.shape), x.dtype), shapes["params"]
        )
    given = tuple(inputs.values())

    def function():
        """A new one each time, as jax knows a function again that it has traced."""
        return jax.value_and_grad(partial(loss, model, given, rate))

    value, gradient = jax.jit(function())(params)
    for name, choice in WAYS.items():
        with compiled_as(choice):
            program = str(jax.make_jaxpr(function())(params))
            # A scan does not happen where it would draw otherwise; dropout's rows are drawn alike.
            assert (" scan[" in program) == (choice.scan and rate == 0.0), name
            assert ("remat" in program) == choice.remat, name
            other, again = jax.jit(function())(params)
        # The same sums, fused otherwise.
        np.testing.assert_allclose(other, value, rtol=2e-5, atol=2e-5)
        for a, b in zip(jax.tree.leaves(gradient), jax.tree.leaves(again), strict=True):
            np.testing.assert_allclose(b, a, atol=2e-5 * max(1.0, float(jnp.abs(a).max())))


def test_the_profile_chooses():
    """Three steps of the loop's own program: the same losses; a deep net scanned is a short program."""
    model = models.build(module_of(DECODER), "tiny", layers=6, dropout=0.0)
    rows = np.random.default_rng(0).integers(0, 17, (8, 16)).astype(np.int32)
    data = Pipeline(Arrays({"tokens": rows, "targets": rows}), 8)
    losses, lengths = {}, {}
    for name, options in (
        ("plain", {}),
        ("remat", {"remat": True}),
        ("scan", {"scan_layers": True}),
    ):
        executor = make_executor(Profile(**options), learn(language(model), optax.sgd(0.1)), data)
        step = jax.make_jaxpr(executor.learner.update)(executor.abstract, executor.feed.spec)
        lengths[name] = len(str(step).splitlines())
        measured = str(
            jax.make_jaxpr(executor.learner.evaluate)(executor.abstract, executor.feed.spec)
        )
        # Nothing is differentiated in an evaluation, and nothing drawn.
        assert "remat" not in measured and (" scan[" in measured) == (name == "scan")
        state = executor.init(jax.random.key(0))
        values = []
        for i in range(3):
            state, packed = executor.step(state, executor.place(i, 1), 1)
            values.append(np.asarray(packed))
        losses[name] = np.stack(values)
    for name in ("remat", "scan"):
        np.testing.assert_allclose(losses[name], losses["plain"], rtol=1e-4, atol=1e-5)
    assert lengths["scan"] < lengths["plain"] / 2 < lengths["remat"]


class Times(nn.Module):
    """Its input times a factor that is no parameter, and one that is."""

    factor: float
    statistics: bool = False

    @nn.compact
    def __call__(self, x, *, train):
        if self.statistics:
            self.variable("batch_stats", "nothing", lambda: jnp.zeros(()))
        return x * self.factor * self.param("scale", nn.initializers.ones, ())


class Row(nn.Module):
    factors: tuple[float, ...]
    statistics: bool = False

    @nn.compact
    def __call__(self, x, *, train):
        layers = [Times(f, self.statistics, name=f"t{i}") for i, f in enumerate(self.factors)]
        return stack(layers, x, train=train)


@pytest.mark.parametrize(
    "model, scanned",
    [
        (Row((2.0, 2.0)), True),
        (Row((2.0, 5.0)), False),
        (Row((2.0, 2.0), True), False),
        (Row(()), False),
    ],
)
def test_only_what_is_alike_is_scanned(model, scanned):
    x = jnp.ones((1, 2, 3))
    variables = model.init(jax.random.key(0), x, train=False)
    with compiled_as(Blocks(scan=True)):
        apply = partial(model.apply, variables, train=True)
        assert (" scan[" in str(jax.make_jaxpr(apply)(x))) == scanned
        np.testing.assert_array_equal(apply(x), np.prod(model.factors) * x)


def test_a_cache_and_intermediates_are_kept_in_any_case():
    model, params, _, _ = tiny(module_of(DECODER), 0.3)
    tokens = jnp.arange(6, dtype=jnp.int32)[None]
    with compiled_as(Blocks(True, True)):
        _, cache = model.apply(
            {"params": params}, tokens, train=False, decode=True, mutable=["cache"]
        )
        _, found = model.apply(
            {"params": params},
            tokens,
            train=False,
            capture_intermediates=True,
            mutable=["intermediates"],
        )
    layers = {name for name in params if name in cache["cache"]}
    assert len(layers) == model.layers == 2 and layers <= set(found["intermediates"])
