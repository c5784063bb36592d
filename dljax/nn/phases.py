"""Images in phases of a stride, and the slices of them that a window sees, so that gradients are slices too.

What layers of windows have in common. On CPU the gradient of a slice is a map that is zero elsewhere; a sum
of nine such maps is one loop with nine conditions at every value, which takes five times as long as a sum
of nine slices.
"""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float


def in_phases(
    x: Float[Array, "b h w c"], blocks: tuple[int, int], strides: tuple[int, int]
) -> list[list[Float[Array, "b p q c"]]]:
    """The rows and columns ``u, u + stride, u + 2 stride, ...`` for each ``u`` below the stride.

    Args:
        blocks: number of rows and of columns in a phase; where ``x`` has fewer, they end in zeros.
    """
    b, *size, c = x.shape
    (p, q), (down, right) = blocks, strides
    ends = [n * s - have for n, s, have in zip(blocks, strides, size, strict=True)]
    x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *((0, end, 0) for end in ends), (0, 0, 0)])
    if strides == (1, 1):
        return [[x]]
    x = x.reshape(b, p, down, q, right, c)
    return [
        [lax.squeeze(y, (2, 4)) for y in lax.split(row, (1,) * right, 4)]
        for row in lax.split(x, (1,) * down, 2)
    ]


def places(
    x: Float[Array, "b h w c"], window: Sequence[int], strides: tuple[int, int]
) -> list[Float[Array, "b p q c"]]:
    """For each place in a window, row by row, its values in all windows; those that are not full are left
    out.
    """
    (p, q), (down, right) = window, strides
    h, w = x.shape[1] - p + 1, x.shape[2] - q + 1
    return [x[:, i : i + h : down, j : j + w : right] for i in range(p) for j in range(q)]


def steps(
    window: tuple[int, int], strides: tuple[int, int]
) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """For each place in a window, row by row, its phase (u, v) and its offset in blocks (down, right)."""
    (p, q), (s, t) = window, strides
    return [((i % s, j % t), (i // s, j // t)) for i in range(p) for j in range(q)]


def spread(
    x: Float[Array, "b p q c"], offset: tuple[int, int], most: tuple[int, int]
) -> Float[Array, "b p2 q2 c"]:
    """``x`` on a map that is larger by ``most``, as far before its end as ``offset`` says.

    At ``most`` and after it lies what a window sees at ``offset``; the transpose is a slice.
    """
    sides = [(m - o, o, 0) for o, m in zip(offset, most, strict=True)]
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *sides, (0, 0, 0)])
