"""Collages of handwritten digits (see ``digits``) on a noisy ground, with a class for every pixel.

Made from the embedded digits when loaded, the same every time. Scraps of other digits lie about
as clutter that belongs to the ground, and digits may overlap: the later one is on top.
"""

import numpy as np

from dljax.data.datasets import digits
from dljax.data.pipeline import Arrays, Examples

CLASSES = 11  # 0 is the ground, d + 1 the digit d
_INK = 100  # of 255: what is darker belongs to what lies below


def _paste(
    canvas: np.ndarray, label: np.ndarray | None, patch: np.ndarray, value: int, rng
) -> None:
    """Put ``patch`` somewhere on the canvas, wholly inside, and ``value`` under its ink."""
    (h, w), (ph, pw) = canvas.shape, patch.shape
    top, left = rng.integers(0, h - ph + 1), rng.integers(0, w - pw + 1)
    window = canvas[top : top + ph, left : left + pw]
    ink = patch >= _INK
    if label is not None:
        label[top : top + ph, left : left + pw][ink] = value
        window[ink] = patch[ink]
    np.maximum(window, patch, out=window)


def _collages(source: Arrays, n: int, size: int, seed: int) -> Arrays:
    rng = np.random.default_rng([17, seed])
    image = np.zeros((n, size, size), np.uint8)
    label = np.zeros((n, size, size), np.int32)
    pool, names = source.arrays["image"][..., 0], source.arrays["label"]
    scrap = pool.shape[1] // 2
    for i in range(n):
        for _ in range(rng.integers(4, 9)):
            at = rng.integers(len(pool))
            top, left = rng.integers(0, pool.shape[1] - scrap + 1, 2)
            piece = pool[at, top : top + scrap, left : left + scrap]
            _paste(image[i], None, piece, 0, rng)
        for at in rng.integers(0, len(pool), rng.integers(2, 5)):
            _paste(image[i], label[i], pool[at], int(names[at]) + 1, rng)
    noisy = image + rng.normal(0, 30, image.shape).astype(np.float32)
    return Arrays({"image": np.clip(noisy, 0, 255).astype(np.uint8)[..., None], "label": label})


def load(*, size: int = 64, fake: bool = False) -> tuple[Arrays, Arrays]:
    """(train, test): ``image`` uint8 [n, size, size, 1], ``label`` int32 [n, size, size]; 2,000 and 400.

    Each holds two to four digits of 20x20 pixels; test collages are made of test digits.

    Args:
        size: side of a collage, at least 20.
        fake: collages of made-up images, fewer of them.
    """
    train, test = digits.load(size=20, fake=fake)
    many, few = (200, 40) if fake else (2000, 400)
    return _collages(train, many, size, 0), _collages(test, few, size, 1)


def whole_digits(examples: Examples, seeds: np.ndarray) -> Examples:
    """A transform to two classes: the ink of a whole digit, and all else (ground, noise, scraps)."""
    return {**examples, "label": (examples["label"] > 0).astype(np.int32)}
