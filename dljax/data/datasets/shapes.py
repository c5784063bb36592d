"""Drawn shapes of known factors, after dSprites (Matthey et al. 2017): a white square, ellipse or heart on black,
of every size, turned by every angle, at every place. An image is a function of its number: none is stored.
"""

from dataclasses import dataclass

import numpy as np

from dljax.data.pipeline import Examples

FACTORS = ("shape", "scale", "angle", "x", "y")
LEVELS = (3, 4, 8, 8, 8)


@dataclass(frozen=True)
class Shapes:
    """A source: ``image`` uint8 [n, size, size, 1] and ``factors`` int32 [n, 5], in the order of FACTORS.

    Attributes:
        numbers: of its images, int64 [n] of 0 to the product of LEVELS.
        size: side in pixels.
    """

    numbers: np.ndarray
    size: int

    def __len__(self) -> int:
        return len(self.numbers)

    def gather(self, indices: np.ndarray) -> Examples:
        factors = np.stack(np.unravel_index(self.numbers[indices], LEVELS), -1).astype(np.int32)
        return {"image": draw(factors, self.size), "factors": factors}


def number(factors: np.ndarray) -> np.ndarray:
    """The numbers of images, int64 [n], by their factors' levels [n, 5]."""
    return np.ravel_multi_index(tuple(np.asarray(factors).T), LEVELS)


def draw(factors: np.ndarray, size: int) -> np.ndarray:
    """Images, uint8 [n, size, size, 1], of levels [n, 5]; 255 where a pixel's middle is in the shape.

    Sizes are 1/2 to 1, angles a part of a whole turn, and middles lie where every shape is inside.
    """
    shape, scale, angle, x, y = np.asarray(factors).T[:, :, None, None]
    steps = np.asarray(LEVELS, np.float32) - 1
    radius = np.float32(0.26) * (1 + scale / steps[1])  # of -1..1, across the image
    turn = (2 * np.pi * angle / LEVELS[2]).astype(np.float32)
    across, down = (np.float32(0.4) * (2 * at / steps[3] - 1) for at in (x, y))
    at = (np.arange(size, dtype=np.float32) + 0.5) * 2 / size - 1
    right, below = at[None, None, :] - across, at[None, :, None] - down
    u = (np.cos(turn) * right + np.sin(turn) * below) / radius
    v = (np.cos(turn) * below - np.sin(turn) * right) / radius
    # Of about the same area. The heart: (a^2 + b^2 - 1)^3 < a^2 b^3, its tip below.
    square = np.maximum(np.abs(u), np.abs(v)) < 0.7
    ellipse = u**2 + (v / 0.55) ** 2 < 1
    a, b = 1.35 * u, -1.35 * v
    heart = (a**2 + b**2 - 1) ** 3 < a**2 * b**3
    inside = np.where(shape == 0, square, np.where(shape == 1, ellipse, heart))
    return (inside * np.uint8(255))[..., None]


def load(*, size: int = 64, fake: bool = False) -> tuple[Shapes, Shapes]:
    """(train, test): nine tenths of the 6144 images, and the rest.

    Args:
        size: side in pixels.
        fake: fewer of both.
    """
    order = np.random.default_rng(47).permutation(int(np.prod(LEVELS)))
    few = len(order) // 10
    test, train = order[:few], order[few:]
    return (
        Shapes(train[:500] if fake else train, size),
        Shapes(test[:100] if fake else test, size),
    )
