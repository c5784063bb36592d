"""How a step that sees only some rows of the batch still computes what the whole batch would.

A step runs on part of the global batch in two cases: per device under ``pmap`` (the axis
``DEVICES`` is bound then), and per microbatch under ``accumulate``. Randomness that belongs to
examples must not depend on either, or moving a run to other hardware would change its meaning:
``rows`` draws for the global batch and keeps the rows at hand (XLA fuses the slice into the
counter-based generator, so the rest is never computed). Under ``jit`` with shardings the batch is
already global and everything here is the identity.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import jax
import jax.numpy as jnp
from jax import lax

from dljax.types import Array, Key, PyTree

DEVICES = "devices"

# (index, count) of the microbatch being traced; set by the accumulate combinator alone.
_microbatch: ContextVar[tuple[Array | int, int]] = ContextVar("microbatch", default=(0, 1))


def per_device() -> str | None:
    """The name of the device axis if the code being traced runs per device, else None.

    Pass it as ``axis_name`` wherever statistics are taken over the batch.
    """
    try:
        lax.axis_size(DEVICES)
    except NameError:
        return None
    return DEVICES


def mean(tree: PyTree) -> PyTree:
    """Mean over devices where the code runs per device, else the identity."""
    return lax.pmean(tree, DEVICES) if per_device() else tree


def total(tree: PyTree) -> PyTree:
    """Sum over devices where the code runs per device, else the identity."""
    return lax.psum(tree, DEVICES) if per_device() else tree


@contextmanager
def microbatch(index: Array | int, count: int) -> Iterator[None]:
    """Trace the body as microbatch ``index`` of ``count``: every ``count``-th row, from there on."""
    token = _microbatch.set((index, count))
    try:
        yield
    finally:
        _microbatch.reset(token)


def rows(draw: Callable[[tuple[int, ...]], Array], shape: tuple[int, ...]) -> Array:
    """``draw(shape)``, equal to the rows that one device would have drawn for the whole batch.

    Args:
        draw: shape -> array, e.g. ``partial(jax.random.normal, key)``.
        shape: the local shape; its leading axis is the examples at hand.
    """
    index, parts = _microbatch.get()
    devices = lax.axis_size(DEVICES) if per_device() else 1
    if parts == devices == 1:
        return draw(shape)
    out = draw((devices * shape[0] * parts, *shape[1:]))
    if devices > 1:
        size = shape[0] * parts
        out = lax.dynamic_slice_in_dim(out, lax.axis_index(DEVICES) * size, size)
    if parts > 1:
        by_part = out.reshape(shape[0], parts, *shape[1:])
        out = lax.dynamic_index_in_dim(by_part, index, axis=1, keepdims=False)
    return out


def normal(key: Key, shape: tuple[int, ...]) -> Array:
    """Standard normal draws, one row per example (see ``rows``)."""
    return rows(lambda s: jax.random.normal(key, s), shape)


def uniform_integers(key: Key, shape: tuple[int, ...], high: int) -> Array:
    """Integers in [0, high), one row per example (see ``rows``)."""
    return rows(lambda s: jax.random.randint(key, s, 0, high), shape)


def keep_mask(key: Key, rate: float, shape: tuple[int, ...]) -> Array:
    """Boolean mask, True with probability ``1 - rate``, one row per example (see ``rows``).

    Sixteen random bits per value, so the rate is rounded to 1/65536: on CPU the generator is what a
    mask costs, and this halves it.
    """
    if not math.isfinite(rate) or not 0 <= rate < 1:
        raise ValueError(f"dropout rate {rate}: expected 0 <= rate < 1")
    size = math.prod(shape[1:])
    words = rows(lambda s: jax.random.bits(key, s), (shape[0], -(-size // 2)))
    halves = lax.bitcast_convert_type(words, jnp.uint16).reshape(shape[0], -1)[:, :size]
    return (halves >= round(rate * 65536)).reshape(shape)
