"""Every architecture x every property. A new model file is in these tests by being there."""

from importlib import import_module

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax import catalog, models
from dljax.tasks.linen import streams

ARCHITECTURES = catalog.architectures()
NAMES = [a.name for a in ARCHITECTURES]
VARIANTS = [(a, v) for a in ARCHITECTURES for v in a.variants]

# Parameters without a gradient, and why.
NO_GRADIENT = {"perceptron": "a step activation: the rule is not a gradient"}


def module_of(architecture: catalog.Architecture):
    return import_module(architecture.module)


def variables_of(architecture, variant, key):
    """(module, variables, inputs) with real arrays."""
    home = module_of(architecture)
    module = models.build(home, variant)
    inputs = {name: example(spec, key) for name, spec in home.inputs(variant).items()}
    variables = module.init({"params": key, **streams(key)}, **inputs, train=False)
    return module, variables, inputs


def example(spec: jax.ShapeDtypeStruct, key) -> jax.Array:
    if jnp.issubdtype(spec.dtype, jnp.integer):
        return jax.random.randint(key, spec.shape, 0, 2, spec.dtype)
    return jax.random.uniform(key, spec.shape, spec.dtype)


def count(tree) -> int:
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(tree))


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


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=NAMES)
def test_has_a_published_count_and_a_tiny_variant(architecture):
    assert architecture.published, "no variant has a published count"
    assert set(architecture.published) <= set(architecture.variants)
    assert "tiny" in architecture.variants
    assert architecture.paper


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=NAMES)
def test_jit_equals_eager(architecture, key):
    module, variables, inputs = variables_of(architecture, "tiny", key)

    def apply(variables, inputs):
        return module.apply(variables, **inputs, train=False, rngs=streams(key))

    eager, compiled = apply(variables, inputs), jax.jit(apply)(variables, inputs)
    # Fusion reorders float32 sums of at most some thousand terms: relative 1e-7 x sqrt(1000) x depth.
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), eager, compiled
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=NAMES)
def test_output_follows_the_type_of_its_input(architecture, key):
    """bfloat16 in, bfloat16 out: what mixed precision rests on."""
    home = module_of(architecture)
    module = models.build(home, "tiny")

    def low(tree):
        return jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(
                x.shape, jnp.bfloat16 if jnp.issubdtype(x.dtype, jnp.floating) else x.dtype
            ),
            tree,
        )

    inputs = home.inputs("tiny")
    variables = jax.eval_shape(
        lambda inputs: module.init({"params": key, **streams(key)}, **inputs, train=False), inputs
    )
    variables = {**variables, "params": low(variables["params"])}
    out = jax.eval_shape(
        lambda v, i: module.apply(v, **i, train=False, rngs=streams(key)), variables, low(inputs)
    )
    for leaf in jax.tree.leaves(out):
        assert leaf.dtype == jnp.bfloat16


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=NAMES)
def test_every_parameter_has_a_gradient(architecture, key):
    if architecture.name in NO_GRADIENT:
        pytest.skip(NO_GRADIENT[architecture.name])
    module, variables, inputs = variables_of(architecture, "tiny", key)
    rest = {k: v for k, v in variables.items() if k != "params"}

    def loss(params):
        out, _ = module.apply(
            {"params": params, **rest}, **inputs, train=True, rngs=streams(key), mutable=list(rest)
        )
        leaves = jax.tree.leaves(out)
        # A fixed random projection: no symmetry of the output can cancel it.
        return sum(jnp.sum(leaf * jax.random.normal(key, leaf.shape)) for leaf in leaves)

    # Layers that start at zero (residual branches) hide what lies below them: move off the start.
    params = jax.tree.map(lambda x: x + 0.05 * jax.random.normal(key, x.shape), variables["params"])
    for path, grad in jax.tree_util.tree_leaves_with_path(jax.jit(jax.grad(loss))(params)):
        assert np.isfinite(grad).all(), jax.tree_util.keystr(path)
        assert np.abs(grad).max() > 0, jax.tree_util.keystr(path)


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=NAMES)
def test_use_is_deterministic(architecture, key):
    """Outside training nothing is drawn and nothing changes."""
    module, variables, inputs = variables_of(architecture, "tiny", key)
    apply = jax.jit(lambda v, i, k: module.apply(v, **i, train=False, rngs=streams(k)))
    first, second = (apply(variables, inputs, jax.random.key(seed)) for seed in (1, 2))
    jax.tree.map(np.testing.assert_array_equal, first, second)
