"""Flax's own layers in a user's model mean the same on one device, on eight and in microbatches."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_axes import LAYOUTS, in_microbatches, on_eight

from dljax import axes
from dljax.errors import UserError
from dljax.tasks.linen import forward, streams


class Dropped(nn.Module):
    """Two masks, so that the second is drawn after the first."""

    shared: tuple[int, ...] = ()

    @nn.compact
    def __call__(self, x, *, train: bool):
        x = nn.Dropout(0.5, broadcast_dims=self.shared)(x, deterministic=not train)
        return nn.Dropout(0.25, broadcast_dims=self.shared, deterministic=not train)(x)


@LAYOUTS
@pytest.mark.parametrize("shared", [(), (1,), (0,)], ids=["all", "columns alike", "rows alike"])
def test_dropout_is_that_of_one_device(layout, shared, key):
    """64 identical rows; flax itself says what one device draws."""
    x = jnp.ones((64, 3, 40))
    model = Dropped(shared)
    expected = model.apply({}, x, train=True, rngs=streams(key))
    out = layout(lambda x: forward(model, {}, {}, x, key=key, train=True)[0], x)
    np.testing.assert_array_equal(out, expected)
    assert len({row.tobytes() for row in np.asarray(out)}) == (1 if shared == (0,) else 64)


def test_dropout_that_does_nothing(key):
    x = jnp.ones((4, 3))

    def through(layer, **options):
        return forward(Wrapped(layer), {}, {}, x, **options)[0]

    class Wrapped(nn.Module):
        layer: nn.Module

        @nn.compact
        def __call__(self, x, *, train: bool):
            return self.layer(x, deterministic=not train)

    np.testing.assert_array_equal(through(nn.Dropout(0.5), key=None, train=False), x)
    np.testing.assert_array_equal(through(nn.Dropout(0.0), key=None, train=True), x)
    np.testing.assert_array_equal(through(nn.Dropout(1.0), key=key, train=True), 0 * x)


class Normalized(nn.Module):
    """One layer used twice, as a plain Flax model has it."""

    @nn.compact
    def __call__(self, x, *, train: bool):
        norm = nn.BatchNorm(use_running_average=not train, name="norm")
        return nn.Dense(3, name="dense")(norm(norm(x) + 1.0))


def test_batch_norm_under_pmap_is_that_of_one_device(key):
    """Every device's rows have a mean of their own: 0, 1, ... 7."""
    x = jax.random.normal(key, (64, 4)) + jnp.arange(64)[:, None] // 8
    model = Normalized()
    variables = model.init(key, x, train=False)
    params, extra = variables["params"], {"batch_stats": variables["batch_stats"]}
    # flax alone, over the whole batch
    expected, moved = model.apply(variables, x, train=True, mutable=["batch_stats"])

    def step(rows):
        return forward(model, params, extra, rows, key=key, train=True)

    out, changed = jax.pmap(step, axis_name=axes.DEVICES)(x.reshape(8, 8, 4))
    # Means over 8 x 8 rows instead of 64: float32 rounding.
    np.testing.assert_allclose(out.reshape(64, 3), expected, atol=1e-5)
    assert jax.tree.structure(changed) == jax.tree.structure(dict(moved))
    for device in range(8):
        jax.tree.map(
            lambda ours, theirs, d=device: np.testing.assert_allclose(ours[d], theirs, rtol=1e-6),
            changed,
            dict(moved),
        )


def test_one_device_runs_what_flax_runs(key):
    """The interceptor changes no value where a step sees the whole batch."""
    x = jax.random.normal(key, (8, 4))
    model = Normalized()
    variables = model.init(key, x, train=False)
    extra = {"batch_stats": variables["batch_stats"]}
    out, changed = forward(model, variables["params"], extra, x, key=key, train=True)
    expected, moved = model.apply(variables, x, train=True, mutable=["batch_stats"])
    jax.tree.map(np.testing.assert_array_equal, (out, changed), (expected, dict(moved)))


@pytest.mark.parametrize("layout", [on_eight, in_microbatches])
def test_attention_with_a_mask_for_every_example(layout, key):
    """Flax draws that one within a function: where the batch is divided it is refused by name."""

    class Attends(nn.Module):
        alike: bool

        @nn.compact
        def __call__(self, x, *, train: bool):
            return nn.MultiHeadDotProductAttention(
                2, dropout_rate=0.5, broadcast_dropout=self.alike, deterministic=not train
            )(x)

    x = jax.random.normal(key, (64, 3, 4))

    def step(x, alike, train=True):
        params = Attends(alike).init(key, x, train=False)["params"]
        return forward(Attends(alike), params, {}, x, key=key, train=train)[0]

    with pytest.raises(UserError, match="MultiHeadDotProductAttention.*broadcast_dropout=False"):
        layout(lambda x: step(x, False), x)
    layout(lambda x: step(x, False, train=False), x)
    # One mask for all examples is the layer's default, and the same everywhere.
    np.testing.assert_allclose(
        layout(lambda x: step(x, True), x), jax.jit(lambda x: step(x, True))(x), atol=1e-6
    )
