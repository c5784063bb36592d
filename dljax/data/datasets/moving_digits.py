"""Videos of handwritten digits (see ``digits``) that move, made from the embedded digits when loaded: one that
leaves on one side and comes back on the other, to be named with its direction; and two that bounce off the walls,
to be foretold, after the Moving MNIST of Srivastava et al. 2015, arXiv:1502.04681, section 4.1.
"""

import numpy as np

from dljax.data.datasets import digits
from dljax.data.pipeline import Arrays

DIRECTIONS = ("up", "down", "left", "right")
NAMES = tuple(f"{digit} {direction}" for digit in range(10) for direction in DIRECTIONS)
_STEPS = np.array([[-1, 0], [1, 0], [0, -1], [0, 1]])  # down, right; of DIRECTIONS


def directed(*, frames: int = 8, size: int = 24, fake: bool = False) -> tuple[Arrays, Arrays]:
    """(train, test): ``image`` uint8 [n, frames, size, size, 1], ``label`` int32 [n], 4 digit + direction.

    A digit of half the side goes one to three pixels a frame in one of four directions. Where it begins
    says nothing about where it goes, so that of one frame the digit alone can be told. There are 2,876 and 718 examples.

    Args:
        fake: fewer, of made-up images.
    """
    sources = digits.load(size=size // 2, fake=fake)
    many = (200, 40) if fake else (2 * 1438, 2 * 359)
    train, test = (
        _directed(source, n, frames, size, seed)
        for seed, (source, n) in enumerate(zip(sources, many, strict=True))
    )
    return train, test


def _directed(source: Arrays, n: int, frames: int, size: int, seed: int) -> Arrays:
    rng = np.random.default_rng([37, seed])
    image = np.zeros((n, frames, size, size, 1), np.uint8)
    direction, speed = rng.integers(0, 4, n), rng.integers(1, 4, n)
    begin = rng.integers(0, size, (n, 2))
    pool, names = source.arrays["image"], source.arrays["label"]
    side = pool.shape[1]
    for i in range(n):
        canvas = np.zeros((size, size, 1), np.uint8)
        canvas[:side, :side] = pool[i % len(pool)]
        for t in range(frames):
            at = begin[i] + t * speed[i] * _STEPS[direction[i]]
            image[i, t] = np.roll(canvas, tuple(at), (0, 1))
    label = 4 * names[np.arange(n) % len(pool)] + direction
    return Arrays({"image": image, "label": label.astype(np.int32)}, NAMES)


def bouncing(
    *, frames: int = 10, size: int = 32, count: int = 2, fake: bool = False
) -> tuple[Arrays, Arrays]:
    """(train, test): ``image`` uint8 [n, frames, size, size, 1]: digits on straight ways that turn at walls.

    Of 7/16 of the side, as in Moving MNIST 28 of 64 pixels; where digits overlap, the brighter is seen.
    3,000 and 300.

    Args:
        frames: of a video.
        size: side in pixels.
        count: digits in a video.
        fake: fewer, of made-up images.
    """
    sources = digits.load(size=size * 7 // 16, fake=fake)
    many = (100, 20) if fake else (3000, 300)
    train, test = (
        _bouncing(source, n, frames, size, count, seed)
        for seed, (source, n) in enumerate(zip(sources, many, strict=True))
    )
    return train, test


def _bouncing(source: Arrays, n: int, frames: int, size: int, count: int, seed: int) -> Arrays:
    rng = np.random.default_rng([41, seed])
    pool = source.arrays["image"]
    side, image = pool.shape[1], np.zeros((n, frames, size, size, 1), np.uint8)
    which, room = rng.integers(0, len(pool), (n, count)), size - side
    angle, begin = rng.uniform(0, 2 * np.pi, (n, count)), rng.uniform(0, 2, (n, count, 2))
    # In units of the room: a way there and back is 2 long. A speed of 3.6 pixels on a side of 64.
    velocity = 0.1 * np.stack([np.sin(angle), np.cos(angle)], -1)
    for t in range(frames):
        way = (begin + t * velocity) % 2
        at = np.round(np.where(way > 1, 2 - way, way) * room).astype(int)
        for i in range(n):
            for k in range(count):
                top, left = at[i, k]
                window = image[i, t, top : top + side, left : left + side]
                np.maximum(window, pool[which[i, k]], out=window)
    return Arrays({"image": image})
