"""Flax's own layers in a step that sees only some rows of the batch (see ``dljax.axes``).

A user's model may hold ``nn.Dropout`` and ``nn.BatchNorm`` as they are. Left alone, dropout would draw
the same mask for every microbatch and every device, and every device would keep other statistics.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from dljax import axes
from dljax.errors import UserError
from dljax.types import Array, Key


def over_the_whole_batch(
    call: Callable, args: tuple, kwargs: dict[str, Any], context: nn.module.InterceptorContext
) -> Any:
    """Interceptor for ``nn.intercept_methods``, without effect where a step sees the whole batch.

    The first axis of ``nn.Dropout``'s input must be the examples.

    Raises:
        UserError: attention whose dropout differs between examples; its draws cannot be divided.
    """
    layer = context.module
    if context.method_name == "__call__":
        if isinstance(layer, nn.Dropout):
            return _dropout(layer, call, *args, **kwargs)
        if isinstance(layer, nn.BatchNorm) and layer.axis_name is None and axes.per_device():
            # The same scope, so the same parameters and statistics.
            return layer.clone(parent=layer.scope, axis_name=axes.DEVICES)(*args, **kwargs)
        if isinstance(layer, nn.MultiHeadDotProductAttention):
            _check_attention(layer, kwargs.get("deterministic"))
    return call(*args, **kwargs)


def _dropout(
    layer: nn.Dropout,
    call: Callable,
    inputs: Array,
    deterministic: bool | None = None,
    rng: Key | None = None,
) -> Array:
    """``nn.Dropout`` with the rows at hand of the mask that it draws for the whole batch."""
    off = nn.merge_param("deterministic", layer.deterministic, deterministic)
    if off or not 0.0 < layer.rate < 1.0:
        return call(inputs, deterministic, rng)
    rng = layer.make_rng(layer.rng_collection) if rng is None else rng

    def kept(shape: tuple[int, ...]) -> Array:
        return call(jnp.ones(shape, inputs.dtype), deterministic, rng) > 0

    keep = axes.rows(kept, inputs.shape)
    return jnp.where(keep, inputs / (1.0 - layer.rate), jnp.zeros_like(inputs))


def _check_attention(layer: nn.MultiHeadDotProductAttention, deterministic: bool | None) -> None:
    off = layer.deterministic if deterministic is None else deterministic
    if layer.dropout_rate > 0.0 and not layer.broadcast_dropout and not off and axes.divided():
        raise UserError(
            f"{type(layer).__name__} with broadcast_dropout=False repeats its mask in every microbatch "
            "and on every device under pmap: take microbatch or executor = 'pmap' out of the profile"
        )
