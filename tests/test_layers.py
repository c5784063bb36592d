"""Layers of dljax.nn by hand."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax.nn import (
    Conv,
    ConvNorm,
    DepthwiseConv,
    Dropout,
    attend,
    batch_norm,
    neighborhood_mean,
    widened,
)


def test_batch_norm_by_hand():
    """Of 1 and 5: mean 3, variance 4. The moving averages begin at 0 and 1 and keep 0.9 of their past."""
    x = jnp.array([[1.0], [5.0]])
    norm = batch_norm(train=True)
    variables = norm.init(jax.random.key(0), x)
    for mean, var in ((0.3, 1.3), (0.57, 1.57), (0.813, 1.813)):
        out, moved = norm.apply(variables, x, mutable=["batch_stats"])
        variables = {**variables, **moved}
        np.testing.assert_allclose(moved["batch_stats"]["mean"], [mean], rtol=1e-6)
        np.testing.assert_allclose(moved["batch_stats"]["var"], [var], rtol=1e-6)
        # 2 / sqrt(4 + 1e-5), the batch's own statistics
        np.testing.assert_allclose(out, [[-0.99999875], [0.99999875]], rtol=1e-6)
    used = batch_norm(train=False).apply(variables, x)
    # (x - 0.813) / sqrt(1.813 + 1e-5)
    np.testing.assert_allclose(used, [[0.13888058], [3.10958807]], rtol=1e-6)


def test_dropout_by_hand(key):
    """A quarter is dropped, and what is kept grows by 4/3; outside training nothing happens."""
    x = jnp.full((100, 400), 3.0)
    layer = Dropout(0.25)
    out = np.asarray(layer.apply({}, x, train=True, rngs={"dropout": key}))
    assert set(np.unique(out)) == {0.0, 4.0}
    # Four standard errors of a share over 40,000 draws.
    np.testing.assert_allclose((out == 0).mean(), 0.25, atol=4 * np.sqrt(0.25 * 0.75 / 40_000))
    np.testing.assert_array_equal(layer.apply({}, x, train=False), x)


def test_depthwise_conv_by_hand():
    """Each channel has its own filter, and sees no other."""
    x = jnp.array([[[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]])[None]  # [1, 1, 3, 2]
    kernel = jnp.array([[[[1.0, 0.0]], [[2.0, 0.0]], [[4.0, 1.0]]]])  # [1, 3, 1, 2]
    layer = DepthwiseConv((1, 3), use_bias=True)
    params = {"kernel": kernel, "bias": jnp.array([0.5, 0.0])}
    # 2 * 1 + 4 * 2, 1 * 1 + 2 * 2 + 4 * 3, 1 * 2 + 2 * 3; the right neighbor
    expected = [[[[10.5, 20.0], [17.5, 30.0], [8.5, 0.0]]]]
    np.testing.assert_array_equal(layer.apply({"params": params}, x), expected)


@pytest.mark.parametrize("padding", ["SAME", "VALID", 2, ((0, 1), (2, 0))])
@pytest.mark.parametrize("strides", [(1, 1), (2, 1)])
def test_depthwise_conv_is_grouped_convolution(padding, strides, key):
    """Flax's, from the same key."""
    x = jax.random.normal(key, (2, 7, 6, 4))
    ours = DepthwiseConv((3, 2), strides, padding, use_bias=True)
    theirs = nn.Conv(4, (3, 2), strides, padding=padding, feature_group_count=4)
    variables = theirs.init(key, x)
    jax.tree.map(np.testing.assert_array_equal, ours.init(key, x), variables)
    # The same operation of XLA's.
    np.testing.assert_array_equal(ours.apply(variables, x), theirs.apply(variables, x))


def test_neighborhood_mean_by_hand():
    """Of the pixels that there are, 4 at a corner, 6 at an edge and 9 inside, or fewer; in their type."""
    x = jnp.array([[9.0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 36]])[None, :, :, None]
    expected = [[9 / 4, 9 / 6, 0, 0], [9 / 6, 1, 4, 6], [0, 0, 6, 9]]
    np.testing.assert_allclose(neighborhood_mean(x)[0, :, :, 0], expected, rtol=1e-6)  # float32
    one = jnp.full((1, 1, 1, 1), 5, jnp.bfloat16)
    assert neighborhood_mean(one).dtype == jnp.bfloat16
    np.testing.assert_allclose(float(neighborhood_mean(one)[0, 0, 0, 0]), 5, rtol=2**-7)  # 8 bits


def test_conv_norm_by_hand(key):
    """A kernel of 2 and no bias, batch statistics or kept ones, ReLU, and the norm's options."""
    x = jnp.array([1.0, 5.0]).reshape(2, 1, 1, 1)
    norm = {"epsilon": 0.0, "use_scale": False}
    layer = ConvNorm(1, kernel_init=nn.initializers.constant(2.0), norm=norm)
    variables = layer.init(key, x)
    assert jax.tree.map(jnp.shape, variables["params"]) == {
        "conv": {"kernel": (1, 1, 1, 1)},
        "bn": {"bias": (1,)},
    }
    variables["batch_stats"]["bn"] = {"mean": jnp.array([4.0]), "var": jnp.array([9.0])}
    # relu((2 - 4) / 3), relu((10 - 4) / 3); in training relu(-1), relu(1)
    np.testing.assert_allclose(layer.apply(variables, x).ravel(), [0, 2], rtol=1e-6)
    out, _ = layer.clone(train=True).apply(variables, x, mutable=["batch_stats"])
    np.testing.assert_allclose(out.ravel(), [0, 1], rtol=1e-6)


def test_widened_convolutions():
    """Features are multiplied, rounded and never none; what is given comes before the defaults."""
    conv = widened(1 / 16, padding="VALID", train=True)
    assert [conv(n).features for n in (64, 40, 25, 1)] == [4, 2, 2, 1]
    assert (conv(64).padding, conv(64).train) == ("VALID", True)
    given = conv(64, (1, 7), padding="SAME", name="long")
    assert (given.kernel_size, given.padding, given.name) == ((1, 7), "SAME", "long")


@pytest.mark.usefixtures("fast_forms")
@pytest.mark.parametrize(
    "shape", [(0, 8, 8, 32), (2, 2, 6, 32), (2, 1, 1, 32)], ids=["no image", "low", "one pixel"]
)
def test_of_nothing_to_see_nothing_comes(shape):
    """3x3 and 5x5 without padding, of no image or of one below the kernel."""
    x = jnp.ones(shape)
    for size in (3, 5):
        for ours, groups in (
            (Conv(32, (size, size), padding="VALID"), 1),
            (DepthwiseConv((size, size), padding="VALID"), 32),
        ):
            theirs = nn.Conv(
                32, (size, size), padding="VALID", use_bias=groups == 1, feature_group_count=groups
            )
            variables = jax.eval_shape(theirs.init, jax.random.key(0), x)
            out, wanted = (jax.eval_shape(layer.apply, variables, x) for layer in (ours, theirs))
            assert out.shape == wanted.shape and 0 in out.shape


@pytest.mark.parametrize("causal", [True, False])
def test_attention_under_dropout_is_the_fused_one(causal, key):
    """At a rate that drops nothing, of four heads that share two; and a query that sees nothing is no NaN."""
    q, k, v = (jax.random.normal(jax.random.fold_in(key, n), (2, 5, n, 8)) for n in (4, 2, 2))
    mask = jnp.arange(5)[None, None, None] < jnp.array([3, 5])[:, None, None, None]

    class Layer(nn.Module):
        rate: float

        @nn.compact
        def __call__(self):
            drop = Dropout(self.rate, name="drop")
            return attend(q, k, v, mask, causal=causal, dropout=drop, train=True)

    made, fused = (Layer(rate).apply({}, rngs={"dropout": key}) for rate in (1e-9, 0.0))
    np.testing.assert_allclose(made, fused, atol=1e-6)
    dark = attend(q, k, v, jnp.zeros_like(mask), causal=False)
    assert np.isfinite(dark).all()
