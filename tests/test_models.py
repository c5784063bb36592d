"""Every architecture x every property. A new model file is in these tests by being there.

One compiled program per architecture, with its output in use and its gradient in training, serves all
tests.
"""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from architectures import ALL, module_of, over, tiny

from dljax import models
from dljax.tasks.linen import streams

VARIANTS = [(a, v) for a in ALL for v in a.variants]


def count(tree) -> int:
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(tree))


def in_use(architecture, key):
    """The tiny model's output outside training."""
    module, params, extra, inputs = tiny(module_of(architecture))
    return module.apply({"params": params, **extra}, **inputs, train=False, rngs=streams(key))


@cache
def compiled(home):
    """seed -> (output in use, gradient in training) of the tiny model: one program for every seed."""
    module, params, extra, inputs = tiny(home)

    @jax.jit
    def both(params, inputs, key):
        def loss(params):
            out, _ = module.apply(
                {"params": params, **extra},
                **inputs,
                train=True,
                rngs=streams(key),
                mutable=list(extra),
            )
            leaves = jax.tree.leaves(out)
            # A fixed random projection: no symmetry of the output can cancel it.
            return sum(jnp.sum(leaf * jax.random.normal(key, leaf.shape)) for leaf in leaves)

        variables = {"params": params, **extra}
        out = module.apply(variables, **inputs, train=False, rngs=streams(key))
        return out, jax.grad(loss)(params)

    return cache(lambda seed: both(params, inputs, jax.random.key(seed)))


@pytest.mark.parametrize(
    "architecture, variant", VARIANTS, ids=[f"{a.name}-{v}" for a, v in VARIANTS]
)
def test_published_count(architecture, variant, key):
    """At full size, from abstract shapes alone."""
    home = module_of(architecture)
    module = models.build(home, variant)
    variables = jax.eval_shape(
        lambda inputs: module.init({"params": key, **streams(key)}, **inputs, train=False),
        home.inputs(variant),
    )
    assert count(variables["params"]) > 0
    if variant in architecture.published:
        assert count(variables["params"]) == architecture.published[variant]
    if variant in getattr(home, "STATE", {}):
        rest = {name: tree for name, tree in variables.items() if name != "params"}
        assert count(rest) == home.STATE[variant]


@over(ALL)
def test_has_a_published_count_and_a_tiny_variant(architecture):
    """A published count may be absent only where a rule without gradient trains the model."""
    assert architecture.published or architecture.gradient_free, "no variant has a published count"
    assert set(architecture.published) <= set(architecture.variants)
    assert "tiny" in architecture.variants
    assert architecture.paper


@over(list({a.family: a for a in reversed(ALL)}.values()))
def test_jit_equals_eager(architecture):
    """One of each family: run layer by layer, as in a notebook, most of the time goes into compilation."""
    eager, (out, _) = in_use(architecture, jax.random.key(0)), compiled(module_of(architecture))(0)
    # Fusion reorders float32 sums of at most some thousand terms: relative 1e-7 x sqrt(1000) x depth.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), eager, out)


@over(ALL)
def test_output_follows_the_type_of_its_input(architecture, key):
    """bfloat16 in, bfloat16 out: what mixed precision rests on."""
    module, params, extra, inputs = tiny(module_of(architecture))

    def low(tree):
        return jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(
                x.shape, jnp.bfloat16 if jnp.issubdtype(x.dtype, jnp.floating) else x.dtype
            ),
            tree,
        )

    variables = {"params": low(params), **extra}
    out = jax.eval_shape(
        lambda v, i: module.apply(v, **i, train=False, rngs=streams(key)), variables, low(inputs)
    )
    for leaf in jax.tree.leaves(out):
        assert leaf.dtype == jnp.bfloat16


@over(ALL)
def test_every_parameter_has_a_gradient(architecture):
    """Or none has, where the file says so."""
    _, gradient = compiled(module_of(architecture))(0)
    for path, grad in jax.tree_util.tree_leaves_with_path(gradient):
        name = jax.tree_util.keystr(path)
        assert np.isfinite(grad).all(), name
        assert (np.abs(grad).max() > 0) == (not architecture.gradient_free), name


@over(ALL)
def test_use_is_deterministic(architecture):
    """Outside training nothing is drawn and nothing changes."""
    (first, _), (second, _) = (compiled(module_of(architecture))(seed) for seed in (0, 1))
    jax.tree.map(np.testing.assert_array_equal, first, second)
