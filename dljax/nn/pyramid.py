"""Pyramids of maps: networks that halve their images level by level."""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from dljax.errors import UserError


def check_sides(shape: tuple[int, ...], levels: int, what: str) -> None:
    """Check that ``levels`` levels can halve images of ``shape`` [b, h, w, c].

    Otherwise a skip would meet an upsampled map of another size.

    Args:
        what: name of the network in an error, such as "a U-Net".

    Raises:
        UserError: a side is no multiple of ``2 ** (levels - 1)``.
    """
    h, w = shape[1:3]
    unit = 2 ** (levels - 1)
    if h % unit or w % unit:
        near = "x".join(str(max(1, round(side / unit)) * unit) for side in (h, w))
        raise UserError(
            f"images of {h}x{w} pixels: {what} of {levels} levels halves the sides, so they must be "
            f"multiples of {unit}; the nearest is {near}"
        )


def down_and_up(
    x: Array,
    levels: int,
    layers: int,
    block: Callable[[Array, int, str], Array],
    middle: Callable[[Array], Array],
    down: Callable[[Array, int], Array],
    up: Callable[[Array, int], Array],
) -> Array:
    """Maps on the way through a diffusion model's U-Net, [b, h, w, c], from its first to its last.

    Every map of the way down is joined to the channels of one on the way up, the newest first.

    Args:
        layers: blocks of a level on the way down; there is one more on the way up.
        block: (x, level, name) -> the block's output.
        middle: what comes between the two ways.
        down, up: (x, level) -> the maps of the next level, and of the level before.
    """
    skips = [x]
    for level in range(levels):
        for layer in range(layers):
            x = block(x, level, f"down{level}_{layer}")
            skips.append(x)
        if level < levels - 1:
            x = down(x, level)
            skips.append(x)
    x = middle(x)
    for level in reversed(range(levels)):
        for layer in range(layers + 1):
            x = block(jnp.concatenate([x, skips.pop()], axis=-1), level, f"up{level}_{layer}")
        if level:
            x = up(x, level)
    return x
