"""The keys and values of earlier tokens, kept for a decoder that goes on one token at a time."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class Past(NamedTuple):
    """Places of a call's tokens among those of earlier calls.

    Attributes:
        start: number of tokens of earlier calls; 0 in a whole pass.
        position: of each token in its row's own text, int32 [t], or [b, t] where rows have padding.
        mask: True where a query may look, [1 or b, 1, t, s]; None where it may look at all earlier ones.
        size: number of tokens that the cache holds; 0 in a whole pass.
    """

    start: Int[Array, ""] | int
    position: Int[Array, " t"] | Int[Array, "b t"]
    mask: Bool[Array, "b2 1 t s"] | None
    size: int


def past(
    module: nn.Module,
    t: int,
    context: int,
    decode: bool | int,
    padding: Int[Array, " b"] | None,
) -> Past:
    """The places of ``t`` new tokens; with ``decode`` it counts them in the module's collection "cache".

    Args:
        module: the model, in its call.
        context: largest number of tokens.
        decode: go on from the tokens of earlier calls; the first call makes a cache for ``context``
            tokens, or for as many as ``decode`` says. The caller counts them.
        padding: number of places without a token at the beginning of each row; with ``decode``, the
            first call says it for all.

    Raises:
        ValueError: more tokens than fit.
    """
    size = (context if decode is True else min(decode, context)) if decode else 0
    if t > (size or context):
        raise ValueError(f"{t} tokens do not fit the context of {size or context}")
    start: Array | int = 0
    if size:
        seen = module.variable("cache", "seen", lambda: jnp.zeros((), jnp.int32))
        start = seen.value
        seen.value = start + t
        if padding is not None:
            module.put_variable("cache", "padding", padding)
        elif module.has_variable("cache", "padding"):
            padding = module.get_variable("cache", "padding")
    at, other = start + jnp.arange(t), jnp.arange(size or t)
    mask = other[None, :] <= at[:, None]
    if padding is None:
        return Past(start, at, mask[None, None] if size else None, size)
    # A place without a token looks at itself, as a softmax over nothing is not a number.
    first = jnp.minimum(padding[:, None], at[None, :])
    mask = mask[None] & (other[None, None, :] >= first[:, :, None])
    return Past(start, jnp.maximum(at[None, :] - padding[:, None], 0), mask[:, None], size)


def remember(
    module: nn.Module, name: str, new: Float[Array, "b t k d"], past: Past
) -> Float[Array, "b s k d"]:
    """The keys or values of all tokens so far; in a whole pass those of the call.

    Args:
        module: the attention, in its call, whose collection "cache" keeps them under ``name``.
        new: of the call's tokens.
    """
    if not past.size:
        return new
    b, _, *rest = new.shape
    kept = module.variable("cache", name, jnp.zeros, (b, past.size, *rest), new.dtype)
    kept.value = jax.lax.dynamic_update_slice_in_dim(kept.value, new, past.start, axis=1)
    return kept.value
