"""The CPU forms in dljax.nn are the plain ones: values, gradients, parameters."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dljax.learner.gradient_norm import global_norm
from dljax.nn import Conv, dense, max_pool
from dljax.nn.conv import _as_matmul, _lax, _with_blocked_gradient

# (input h w c, kernel h w, features, padding)
GEOMETRIES = {
    "LeNet C1": ((12, 12, 1), (5, 5), 6, ((2, 2), (2, 2))),
    "CNN conv1": ((9, 7, 1), (3, 3), 8, ((0, 0), (0, 0))),
    "CNN conv2": ((13, 13, 32), (3, 3), 64, ((0, 0), (0, 0))),
    "ResNet": ((11, 12, 32), (3, 3), 32, ((1, 1), (1, 1))),
    "rows in blocks": ((36, 40, 3), (3, 3), 4, ((1, 1), (1, 1))),
    "1x1": ((6, 5, 3), (1, 1), 4, ((0, 0), (0, 0))),
    "more padding than kernel": ((6, 5, 3), (2, 2), 4, ((3, 0), (0, 2))),
    "uneven": ((6, 5, 3), (2, 3), 4, ((0, 1), (2, 1))),
}


def close(ours, theirs):
    """Sums of at most 2 x 36 x 40 float32 products of order 1 in another order: an error of about
    sqrt(2880) x 6e-8 of the largest value, here with a factor of three to spare."""

    def one(a, b):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, atol=1e-5 * float(jnp.abs(b).max()))

    jax.tree.map(one, ours, theirs)


def pulled(f, *inputs):
    """f's value and its gradient for every input, against fixed weights."""

    @jax.jit
    def both(*inputs):
        out, pull = jax.vjp(f, *inputs)
        return out, pull(jnp.cos(jnp.arange(out.size, dtype=out.dtype)).reshape(out.shape))

    return both(*inputs)


@pytest.fixture(params=GEOMETRIES.values(), ids=GEOMETRIES)
def case(request):
    shape, size, features, padding = request.param
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(2, *shape)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(*size, shape[-1], features)), jnp.float32)
    return x, kernel, padding


@pytest.mark.parametrize("rewrite", [_as_matmul, _with_blocked_gradient])
def test_convolution_equals_lax(case, rewrite):
    x, kernel, padding = case
    ours = pulled(lambda x, k: rewrite(x, k, padding), x, kernel)
    close(ours, pulled(lambda x, k: _lax(x, k, padding), x, kernel))


@pytest.mark.parametrize("padding", ["SAME", "VALID", 1, ((2, 2), (2, 2))])
@pytest.mark.parametrize(
    "channels, size, strides",
    [
        (1, (5, 5), (1, 1)),
        (1, (4, 2), (1, 1)),
        (32, (3, 3), (1, 1)),
        (3, (3, 3), (1, 1)),
        (1, (4, 4), (2, 2)),
        (3, (3, 3), (2, 2)),
        (3, (1, 1), (2, 2)),
        (3, (7, 3), (3, 1)),
    ],
)
def test_module_is_flax_layer(channels, size, strides, padding, key):
    x = jax.random.normal(key, (2, 12, 11, channels))
    ours = Conv(32, size, strides, padding=padding)
    theirs = nn.Conv(32, size, strides, padding=padding)
    variables = theirs.init(key, x)
    jax.tree.map(np.testing.assert_array_equal, ours.init(key, x), variables)  # names and draws
    close(
        pulled(lambda v: ours.apply(v, x), variables),
        pulled(lambda v: theirs.apply(v, x), variables),
    )


def test_convolution_keeps_low_precision(key):
    x = jax.random.normal(key, (2, 12, 12, 32), jnp.bfloat16)
    layer = Conv(32, (3, 3))
    variables = jax.tree.map(lambda p: p.astype(jnp.bfloat16), layer.init(key, x))
    grads = jax.grad(lambda v: jnp.sum(layer.apply(v, x)))(variables)
    assert {g.dtype for g in jax.tree.leaves(grads)} == {jnp.dtype(jnp.bfloat16)}


def test_convolution_sums_low_precision_in_float32(key):
    """The gradients of bfloat16 are those of float32, rounded: 8 bits, and a few for the inputs'."""
    x = jax.random.normal(key, (8, 32, 32, 4))
    kernel = jax.random.normal(key, (3, 3, 4, 4))

    def pulled_in(dtype):
        def f(x, kernel):
            return _with_blocked_gradient(x, kernel, ((1, 1), (1, 1)))

        out, pull = jax.vjp(f, x.astype(dtype), kernel.astype(dtype))
        return pull(jnp.ones_like(out))

    for low, full in zip(pulled_in(jnp.bfloat16), pulled_in(jnp.float32), strict=True):
        assert low.dtype == jnp.bfloat16
        scale = float(jnp.abs(full).max())
        np.testing.assert_allclose(low.astype(jnp.float32), full, atol=2**-7 * scale)


@pytest.mark.parametrize("shape", [(6, 5), (2, 3, 5), (2, 3, 2, 5)])
def test_dense_is_flax_layer(shape, key):
    x = jax.random.normal(key, shape)
    ours, theirs = dense(7), nn.Dense(7)
    variables = theirs.init(key, x)
    jax.tree.map(np.testing.assert_array_equal, ours.init(key, x), variables)
    close(
        pulled(lambda v, x: ours.apply(v, jnp.tanh(x)), variables, x),
        pulled(lambda v, x: theirs.apply(v, jnp.tanh(x)), variables, x),
    )


@pytest.mark.parametrize("side, window", [((6, 8), 2), ((7, 5), 2), ((9, 10), 3)])
def test_max_pool_equals_flax(side, window, key):
    """A permutation has no ties, where alone the gradients may differ."""
    size = 2 * side[0] * side[1] * 3
    x = jax.random.permutation(key, jnp.arange(size, dtype=jnp.float32)).reshape(2, *side, 3)
    ours = pulled(lambda x: max_pool(x, window), x)
    theirs = pulled(lambda x: nn.max_pool(x, (window, window), (window, window)), x)
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize(
    "shapes", [[()], [(7,)], [(5, 5, 6, 16), (16,), (400, 120), ()], [], [(600, 600), (9,)]]
)
def test_norm_is_optax_norm(shapes, dtype):
    rng = np.random.default_rng(0)
    tree = [jnp.asarray(rng.normal(size=shape), dtype) for shape in shapes]
    wide = [np.asarray(x, np.float64).ravel() for x in tree]
    ours = jax.jit(global_norm)(tree)
    assert (ours.shape, ours.dtype) == ((), jnp.float32)
    # Up to 360,000 squares in float32, added in rows or windows: 1e-6 is several times what is lost.
    np.testing.assert_allclose(ours, np.linalg.norm(np.concatenate([[0.0], *wide])), rtol=1e-6)
    if dtype == jnp.float32:
        np.testing.assert_allclose(ours, optax.tree.norm(tree), rtol=1e-6)
