"""Draws that belong to examples: the same on one device, on eight and in microbatches."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dljax import axes
from dljax.errors import UserError
from dljax.learner import learn, many_seeds
from dljax.nn import Dropout
from dljax.tasks.linen import forward
from dljax.types import Aux, Task

ROWS = 16


def on_one(step, x):
    return jax.jit(step)(x)


def on_eight(step, x):
    parts = x.reshape(8, -1, *x.shape[1:])
    return jax.pmap(step, axis_name=axes.DEVICES)(parts).reshape(x.shape)


def in_microbatches(step, x, count=4, wrap=jax.jit):
    out = np.zeros(x.shape, np.float32)
    for index in range(count):  # microbatch i holds every count-th row, from the i-th on

        def one(part, index=index):
            with axes.microbatch(index, count):
                return step(part)

        out[index::count] = wrap(one)(x[index::count])
    return out


def on_eight_in_microbatches(step, x):
    """Two microbatches on each device: each takes every second of the device's rows."""

    def device(rows):
        parts = []
        for index in range(2):
            with axes.microbatch(index, 2):
                parts.append(step(rows[index::2]))
        return jnp.stack(parts, 1).reshape(rows.shape)

    return on_eight(device, x)


LAYOUTS = pytest.mark.parametrize(
    "layout",
    [on_one, on_eight, in_microbatches, on_eight_in_microbatches],
    ids=["one", "eight", "microbatches", "both"],
)


@LAYOUTS
def test_rows_are_those_of_the_whole_batch(layout, key):
    expected = jax.random.normal(key, (ROWS, 3))
    out = layout(lambda x: x + axes.normal(key, x.shape), jnp.zeros((ROWS, 3)))
    np.testing.assert_array_equal(out, expected)


@LAYOUTS
def test_each_gives_every_row_its_own_key(layout, key):
    """A row is a whole: what is drawn in it has the row's shape, from ``fold_in(key, its number)``."""
    expected = np.stack(
        [jax.random.normal(jax.random.fold_in(key, i), (5, 3)) for i in range(ROWS)]
    )
    assert len(np.unique(expected[:, 0, 0])) == ROWS

    def step(x):
        return axes.each(lambda row, k: row + axes.normal(k, row.shape), x, key=key)

    np.testing.assert_array_equal(layout(step, jnp.zeros((ROWS, 5, 3))), expected)


@LAYOUTS
def test_dropout_over_packs_differs_from_pack_to_pack(layout, key):
    class Network(nn.Module):
        @nn.compact
        def __call__(self, node, *, train: bool):
            return Dropout(0.5)(nn.Dropout(0.2, deterministic=not train)(node), train=train)

    def step(x):
        def one(node, k):
            return forward(Network(), {}, {}, node, key=k, train=True)[0]

        return axes.each(one, x, key=key)

    out = layout(step, jnp.ones((ROWS, 8, 4)))
    assert len({row.tobytes() for row in np.asarray(out)}) == ROWS
    np.testing.assert_array_equal(out, on_one(step, jnp.ones((ROWS, 8, 4))))


def test_each_without_a_key():
    out = axes.each(lambda a, b, k: (a + b["x"], k), jnp.ones(3), {"x": jnp.arange(3.0)}, key=None)
    np.testing.assert_array_equal(out[0], [1.0, 2.0, 3.0])
    assert out[1] is None


def shared(key, x):
    return Dropout(0.5).apply({}, x, train=True, rngs={"dropout": key})


WAYS = {
    "vmap": lambda f, x: jax.vmap(f)(x),
    "vmap in jit": lambda f, x: jax.jit(jax.vmap(f))(x),
    "jit in vmap": lambda f, x: jax.vmap(jax.jit(f))(x),
    "scan in vmap": lambda f, x: jax.vmap(
        lambda row: jax.lax.scan(lambda c, _: (c + f(row), None), row, None, length=2)[0]
    )(x),
    "gradient of vmap": lambda f, x: jax.grad(lambda x: jax.vmap(f)(x).sum())(x),
    "vmap of gradient": lambda f, x: jax.vmap(jax.grad(lambda row: f(row).sum()))(x),
    "remat in vmap": lambda f, x: jax.vmap(jax.grad(lambda row: jax.checkpoint(f)(row).sum()))(x),
    "seeds over vmap": lambda f, x: jax.vmap(lambda k: jax.vmap(partial(shared, k))(x))(
        jax.random.split(jax.random.key(1), 3)
    ),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_one_key_for_all_examples_is_refused(way, key):
    with pytest.raises(UserError, match=r"dljax\.axes\.each") as refusal:
        way(partial(shared, key), jnp.ones((3, 4, 2)))
    assert "\n" not in str(refusal.value)


class PlainDropout(nn.Module):
    @nn.compact
    def __call__(self, x, *, train: bool):
        return nn.Dropout(0.5, deterministic=not train)(x)


@pytest.mark.parametrize(
    "draw",
    [
        shared,
        lambda key, x: axes.normal(key, x.shape),
        lambda key, x: axes.uniform_integers(key, x.shape, 100),
        lambda key, x: forward(PlainDropout(), {}, {}, x, key=key, train=True)[0],
    ],
    ids=["mask", "normal", "integers", "flax's dropout"],
)
def test_every_draw_asks_for_keys_of_its_own(draw, key):
    x = jnp.ones((3, 40))
    with pytest.raises(UserError, match="each"):
        jax.vmap(partial(draw, key))(x)
    out = np.asarray(jax.vmap(draw)(jax.random.split(key, 3), x))
    assert len({row.tobytes() for row in out}) == 3


def test_the_guard_leaves_no_trace_in_the_program(key):
    """Nothing is computed, no gradient lost, no bit moved."""

    def guarded(x):
        return x * axes.normal(key, x.shape)

    def plain(x):
        return x * jax.random.normal(key, x.shape)

    x = jnp.arange(4.0)
    text = [jax.jit(f).lower(x).as_text().replace(f.__name__, "f") for f in (guarded, plain)]
    assert text[0] == text[1]
    np.testing.assert_array_equal(
        *(jax.grad(lambda x, f=f: f(x).sum())(x) for f in (guarded, plain))
    )
    # where the draw itself is differentiated
    slope = jax.grad(lambda s: axes.rows(lambda n: s * jnp.ones(n), (3,)).sum())(1.0)
    assert slope == 3


def test_many_seeds_draw_apart(key):
    """``many_seeds`` vmaps the whole learner, each model with a key of its own, over one batch."""

    def init(key, batch):
        return {"model": {"w": jnp.zeros((6,))}}, {"model": {}}

    def loss(params, extra, batch, key):
        dropped = shared(key, batch["x"])
        per_row = axes.each(lambda row, k: row + axes.normal(k, row.shape), batch["x"], key=key)
        return jnp.sum(params["model"]["w"] * (dropped + per_row).sum(0)), Aux({}, extra)

    task = Task(init, {"model": loss}, lambda params, extra, batch, key: {})
    learner = learn(task, optax.sgd(1.0))
    batch, keys = {"x": jnp.ones((2, 6))}, jax.random.split(key, 3)
    together = many_seeds(learner, 3)
    state = jax.jit(together.update)(together.init(keys, batch), batch)[0]
    for i in range(3):
        alone, _ = jax.jit(learner.update)(learner.init(keys[i], batch), batch)
        # The same sums of four draws in a vmapped program.
        np.testing.assert_allclose(
            state.params["model"]["w"][i], alone.params["model"]["w"], rtol=1e-6, atol=1e-6
        )
    assert len(np.unique(np.asarray(state.params["model"]["w"])[:, 0])) == 3


def test_drawn_rows_lie_where_the_batch_does(key):
    """What is made of noise alone is divided over the devices, too."""
    mesh = jax.make_mesh((4, 2), ("data", "fsdp"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
    rows = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(("data", "fsdp")))

    @jax.jit
    def drawn(key):
        with axes.placed(rows):
            return axes.normal(key, (ROWS, 3))

    out = drawn(key)
    assert out.sharding.is_equivalent_to(rows, 2)
    np.testing.assert_array_equal(out, axes.normal(key, (ROWS, 3)))
