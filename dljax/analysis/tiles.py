"""Predictions for images of any size, by a network of one size. Ronneberger et al. 2015, arXiv:1505.04597,
Fig. 2: overlap-tile strategy.
"""

from collections.abc import Callable

import numpy as np

from dljax.errors import UserError


def overlap_tiles(
    function: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    tile: int,
    margin: int,
    batch: int = 4,
) -> np.ndarray:
    """An image's outputs, put together from the middles of overlapping tiles.

    Args:
        function: images [batch, tile, tile, c] -> outputs [batch, tile, tile, k]; always called with
            ``batch`` of them, so that it is compiled once.
        image: [h, w, c], any size; mirrored at its borders.
        tile: side of a tile.
        margin: pixels on each side of a tile whose output is thrown away, as it lacks its surroundings.

    Returns:
        Outputs [h, w, k], float32.

    Raises:
        UserError: tiles of which nothing is left, or whose margin is wider than the image.
    """
    h, w, _ = image.shape
    step = tile - 2 * margin
    if step < 1 or margin < 0 or (margin and margin >= min(h, w)):
        raise UserError(
            f"tiles of {tile} pixels with a margin of {margin} for an image of {h}x{w}: expected a margin "
            f"from 0 to {min((tile - 1) // 2, min(h, w) - 1)}"
        )
    down, right = (-(-side // step) for side in (h, w))
    # Beyond the mirrored border, whatever fills the last tiles up is thrown away again.
    mirrored = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode="symmetric")
    filled = np.pad(mirrored, ((0, down * step - h), (0, right * step - w), (0, 0)), mode="edge")
    corners = [(i * step, j * step) for i in range(down) for j in range(right)]
    out: np.ndarray | None = None
    for first in range(0, len(corners), batch):
        some = corners[first : first + batch]
        tiles = [filled[top : top + tile, left : left + tile] for top, left in some]
        tiles += tiles[-1:] * (batch - len(tiles))
        for (top, left), x in zip(some, np.asarray(function(np.stack(tiles))), strict=False):
            if out is None:
                out = np.zeros((down * step, right * step, x.shape[-1]), np.float32)
            out[top : top + step, left : left + step] = x[
                margin : tile - margin, margin : tile - margin
            ]
    assert out is not None
    return out[:h, :w]
