"""The CPU forms of transposed convolution are nn.ConvTranspose: values, gradients, parameters."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from dljax.nn.transposed import ConvTranspose, _one_to_many, _phases

# (input height and width, kernel, stride, padding, the rewrite that applies)
GEOMETRIES = {
    "U-Net k2 s2": ((6, 5), 2, 2, "SAME", _one_to_many),
    "kernel = stride = 3": ((3, 4), 3, 3, "VALID", _one_to_many),
    "DCGAN k4 s2": ((7, 4), 4, 2, "SAME", _phases),
    "DCGAN k4 s2, one pixel": ((1, 1), 4, 2, "SAME", _phases),
    "DCGAN k4 from one pixel": ((1, 1), 4, 1, "VALID", _one_to_many),
    "k7 from one pixel": ((1, 1), 7, 1, "VALID", _one_to_many),
    "no rewrite": ((5, 6), 3, 2, "SAME", None),
}

# Sums of at most 4 * 4 * 3 float32 products of order 1 in another order: error near 48 * 6e-8.
TOLERANCE = 1e-5


@pytest.fixture(params=GEOMETRIES.values(), ids=GEOMETRIES)
def case(request):
    (h, w), k, stride, padding, rewrite = request.param
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(2, h, w, 3)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(k, k, 3, 5)), jnp.float32)
    return x, kernel, stride, padding, rewrite


def test_rewrite_equals_lax(case):
    x, kernel, stride, padding, rewrite = case
    if rewrite is None:
        pytest.skip("this geometry stays with lax")

    def pulled(f):
        @jax.jit
        def both(x, kernel):
            out, pull = jax.vjp(f, x, kernel)
            weights = jnp.cos(jnp.arange(out.size, dtype=jnp.float32)).reshape(out.shape)
            return out, pull(weights)

        return both(x, kernel)

    ours = pulled(rewrite)
    theirs = pulled(lambda x, k: lax.conv_transpose(x, k, (stride, stride), padding))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=TOLERANCE * 10), ours, theirs)


def test_module_is_flax_layer(case):
    x, kernel, stride, padding, _ = case
    ours = ConvTranspose(5, kernel.shape[:2], stride, padding)
    theirs = nn.ConvTranspose(5, kernel.shape[:2], (stride, stride), padding)
    variables = theirs.init(jax.random.key(0), x)
    mine = ours.init(jax.random.key(0), x)
    jax.tree.map(np.testing.assert_array_equal, mine, variables)  # same names, shapes and draws
    np.testing.assert_allclose(
        ours.apply(variables, x), theirs.apply(variables, x), atol=TOLERANCE * 10
    )


def test_torch_geometry_by_hand():
    """One pixel of value 1 through k4 s2 p1 shows the kernel's middle, as in torch (flipped)."""
    kernel = jnp.arange(16.0).reshape(4, 4, 1, 1)
    out = ConvTranspose(1, (4, 4), 2, use_bias=False).apply(
        {"params": {"kernel": kernel}}, jnp.ones((1, 1, 1, 1))
    )
    np.testing.assert_array_equal(out[0, :, :, 0], [[10, 9], [6, 5]])


def test_dtype_follows_input():
    layer = ConvTranspose(2, (2, 2), 2)
    x = jnp.ones((1, 2, 2, 3), jnp.bfloat16)
    params = layer.init(jax.random.key(0), x)
    low = jax.tree.map(lambda p: p.astype(jnp.bfloat16), params)
    assert layer.apply(low, x).dtype == jnp.bfloat16
