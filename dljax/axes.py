"""Draws and means of the global batch, in a step that sees only some of its rows.

There are two such steps: per device under ``pmap`` (the axis ``DEVICES`` is bound then), and per
microbatch under ``accumulate``. An example's randomness must depend on neither, or moving a run to
other hardware would change its meaning: ``rows`` draws for the global batch and keeps the rows at
hand (XLA fuses the slice into the counter-based generator, so the rest is never computed). Under
``jit`` with shardings the batch is already global and everything here is the identity, but that drawn rows
are laid where the batch's are (``placed``). Code written
for one example goes through ``each``, which gives every row a key of its own.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jax.sharding import NamedSharding

from dljax.errors import UserError
from dljax.types import Array, Key, PyTree

DEVICES = "devices"
# Name of a collection whose arrays have one row for each example of the batch, and lie where it does: what a
# recurrent net keeps from one window of a text for the next.
ROWS = "rows"

# (index, count) of the microbatch being traced; set by the accumulate combinator alone.
_microbatch: ContextVar[tuple[Array | int, int]] = ContextVar("microbatch", default=(0, 1))
# True while ``each`` traces its function: a leading axis there is not the batch.
_in_a_row: ContextVar[bool] = ContextVar("in_a_row", default=False)
# Where the rows of the batch lie while a step over several devices is traced; set by the executor alone.
_placed: ContextVar[NamedSharding | None] = ContextVar("placed", default=None)


def per_device() -> str | None:
    """The name of the device axis where the traced code runs per device, else None.

    Pass it as ``axis_name`` wherever statistics are taken over the batch.
    """
    try:
        lax.axis_size(DEVICES)
    except NameError:
        return None
    return DEVICES


def of_rows(path: tuple) -> bool:
    """True of a leaf of a state that has one row for each example of the batch."""
    return any(getattr(key, "key", None) == ROWS for key in path)


def divided() -> bool:
    """True where the traced code sees only some rows of the batch."""
    return not _in_a_row.get() and (per_device() is not None or _microbatch.get()[1] > 1)


def mean(tree: PyTree) -> PyTree:
    """Mean over devices where the traced code runs per device, else the identity."""
    return lax.pmean(tree, DEVICES) if per_device() else tree


def total(tree: PyTree) -> PyTree:
    """Sum over devices where the traced code runs per device, else the identity."""
    return lax.psum(tree, DEVICES) if per_device() else tree


def gathered(rows: Array) -> Array:
    """The rows of all devices, in the batch's order, where the traced code runs per device; else as given."""
    return lax.all_gather(rows, DEVICES, tiled=True) if per_device() else rows


def own(rows: Array, count: int) -> Array:
    """The ``count`` rows of this device among ``gathered`` ones."""
    if not per_device():
        return rows
    return lax.dynamic_slice_in_dim(rows, lax.axis_index(DEVICES) * count, count)


@contextmanager
def _set(variable: ContextVar, value: Any) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def microbatch(index: Array | int, count: int) -> AbstractContextManager[None]:
    """Trace a ``with`` body as microbatch ``index``: rows index, index + count, index + 2 count, ..."""
    return _set(_microbatch, (index, count))


def placed(sharding: NamedSharding | None) -> AbstractContextManager[None]:
    """Trace a ``with`` body whose drawn rows lie where ``sharding`` puts the batch's."""
    return _set(_placed, sharding)


def rows(draw: Callable[[tuple[int, ...]], Array], shape: tuple[int, ...]) -> Array:
    """Draw for the rows at hand the values that they have when one device draws for the whole batch.

    Args:
        draw: shape -> array, e.g. ``partial(jax.random.normal, key)``.
        shape: the local shape; its leading axis is the examples at hand.

    Raises:
        UserError: under a ``jax.vmap`` with one key for all examples, where each would get the same
            draw; raised when the vmap is traced, also through an inner ``jit``.
    """
    out, sharding = _rows(draw, shape), _placed.get()
    if sharding and not (_in_a_row.get() or per_device() or shape[0] % sharding.num_devices):
        # Else all devices may draw, and what is made of the noise alone is divided as XLA likes: it then
        # summed a convolution's gradient over devices that held the same.
        out = lax.with_sharding_constraint(out, sharding)
    return _drawn.bind(out)


def _rows(draw: Callable[[tuple[int, ...]], Array], shape: tuple[int, ...]) -> Array:
    if not divided():
        return draw(shape)
    index, parts = _microbatch.get()
    devices = lax.axis_size(DEVICES) if per_device() else 1
    out = draw((devices * shape[0] * parts, *shape[1:]))
    if devices > 1:
        size = shape[0] * parts
        out = lax.dynamic_slice_in_dim(out, lax.axis_index(DEVICES) * size, size)
    if parts > 1:
        by_part = out.reshape(shape[0], parts, *shape[1:])
        out = lax.dynamic_index_in_dim(by_part, index, axis=1, keepdims=False)
    return out


def each(function: Callable[..., PyTree], *batched: PyTree, key: Key | None) -> PyTree:
    """Map ``function(*row, key)`` over the leading axis of ``batched``, as ``jax.vmap`` does.

    Row i of the global batch has the key ``fold_in(key, i)``, on whatever device and in whatever
    microbatch it lies. Inside ``function`` there is no batch, so ``rows`` draws all of a shape.

    Args:
        key: of the whole batch; with None every row's key is None.
    """
    keys = None
    if key is not None:
        size = len(jax.tree.leaves(batched)[0])
        numbers = _rows(lambda shape: jnp.arange(shape[0]), (size,))
        keys = jax.vmap(lambda number: jax.random.fold_in(key, number))(numbers)
    with _set(_in_a_row, True):
        return jax.vmap(function)(*batched, keys)


# The identity on a draw. It vanishes from the compiled program, but a vmap must ask it for a rule,
# even where the draw is not batched: that is the case to refuse.
_drawn = Primitive("drawn")
_drawn.def_impl(lambda x: x)
_drawn.def_abstract_eval(lambda x: x)
mlir.register_lowering(_drawn, lambda _, x: [x])
ad.primitive_jvps[_drawn] = lambda xs, tangents: (_drawn.bind(*xs), *tangents)


def _batch_drawn(_, values: tuple, dims: tuple) -> tuple[Array, int]:
    (value,), (dim,) = values, dims
    if dim is None:
        raise UserError(
            "a random draw (dropout, noise) under jax.vmap with one key for all examples: each would "
            "get the same; map with dljax.axes.each, which gives every row its own key"
        )
    return _drawn.bind(value), dim


batching.fancy_primitive_batchers[_drawn] = _batch_drawn


def normal(key: Key, shape: tuple[int, ...]) -> Array:
    """Standard normal draws, float32, one row per example (see ``rows``)."""
    return rows(lambda s: jax.random.normal(key, s), shape)


def uniform_integers(key: Key, shape: tuple[int, ...], high: int) -> Array:
    """Integers in [0, high), int32, one row per example (see ``rows``)."""
    return rows(lambda s: jax.random.randint(key, s, 0, high), shape)


def keep_mask(key: Key, rate: float, shape: tuple[int, ...]) -> Array:
    """Boolean mask, True with probability ``1 - rate``, one row per example (see ``rows``).

    Each value takes sixteen random bits, so the rate is rounded to 1/65536. On CPU nearly all of a
    mask's cost is the generator's, and this halves it.

    Raises:
        ValueError: ``rate`` is not in [0, 1).
    """
    if not math.isfinite(rate) or not 0 <= rate < 1:
        raise ValueError(f"dropout rate {rate}: expected 0 <= rate < 1")
    size = math.prod(shape[1:])
    words = rows(lambda s: jax.random.bits(key, s), (shape[0], -(-size // 2)))
    halves = lax.bitcast_convert_type(words, jnp.uint16).reshape(shape[0], -1)[:, :size]
    return (halves >= round(rate * 65536)).reshape(shape)
