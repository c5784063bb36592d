"""Pyramids of maps: networks that halve their images level by level."""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

from dljax.errors import UserError
from dljax.nn.conv import Conv
from dljax.nn.growing import doubled


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
    widths: Sequence[int],
    layers: int,
    attention: Sequence[int],
    block: Callable[[Array, int, str, bool], Array],
    pad: tuple[int, int],
    kernel_init: nn.initializers.Initializer,
) -> Array:
    """Maps on the way through a diffusion model's U-Net, [b, h, w, c], from its first to its last.

    Every map of the way down is joined to the channels of one on the way up, the newest first. Called in a
    network's scope, where its convolutions between levels are "down0", ... and "up1", ...

    Args:
        widths: channels of each level.
        layers: blocks of a level on the way down; there is one more on the way up.
        attention: the levels with attention, beside the middle.
        block: (x, width, name, whether it attends) -> the block's output.
        pad: zeros before and behind, where sides are halved.
        kernel_init: of the convolutions between levels.
    """
    last, skips = len(widths) - 1, [x]
    for level, width in enumerate(widths):
        for layer in range(layers):
            x = block(x, width, f"down{level}_{layer}", level in attention)
            skips.append(x)
        if level < last:
            half = Conv(
                width, (3, 3), (2, 2), (pad, pad), kernel_init=kernel_init, name=f"down{level}"
            )
            x = half(x)
            skips.append(x)
    x = block(x, widths[last], "middle_0", True)
    x = block(x, widths[last], "middle_1", False)
    for level in reversed(range(len(widths))):
        for layer in range(layers + 1):
            x = jnp.concatenate([x, skips.pop()], axis=-1)
            x = block(x, widths[level], f"up{level}_{layer}", level in attention)
        if level:
            twice = Conv(widths[level], (3, 3), kernel_init=kernel_init, name=f"up{level}")
            x = twice(doubled(x))
    return x
