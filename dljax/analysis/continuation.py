"""Going on from tokens: prompts as an array, and a model that keeps the past as a function."""

from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from dljax.types import PyTree


def left_padded(
    rows: Sequence[np.ndarray], width: int = 0
) -> tuple[Int[Array, "b p"], Int[Array, " b"]]:
    """Prompts of different lengths as one array, int32, whose rows all end at its end.

    Args:
        rows: int [length] each.
        width: of the array, at least; with one width, prompts of all lengths share a program.

    Returns:
        (tokens, 0 where there is none; number of places without one in each row).
    """
    width = max(width, *map(len, rows))
    tokens = np.zeros((len(rows), width), np.int32)
    for i, row in enumerate(rows):
        tokens[i, width - len(row) :] = row
    return jnp.asarray(tokens), jnp.asarray([width - len(row) for row in rows], jnp.int32)


def continuation(model: nn.Module, params: PyTree, size: int) -> Callable[..., tuple[Any, Array]]:
    """The function (cache, tokens [b, t], padding) -> (cache, logits [b, v] after the last token).

    Args:
        model: called as ``model(tokens, train=False, decode=size)`` and, with padding, ``padding=``. It
            keeps the past in its collection "cache", {} at first, whose arrays are scalars or have
            the rows first.
        size: number of tokens that the cache is to hold.
    """

    def go_on(cache: PyTree, tokens: Array, padding: Array | None = None) -> tuple[PyTree, Array]:
        more: dict[str, Any] = {} if padding is None else {"padding": padding}
        logits, changed = model.apply(
            {"params": params, **cache},
            tokens,
            train=False,
            decode=size,
            mutable=["cache"],
            **more,
        )
        return changed, logits[:, -1]

    return go_on
