"""Inputs and weights that conventions.py and the tests of conventions share. numpy only."""

import zlib

import numpy as np

EPSILON = 1e-3  # of optimizers: large, so that its place shows
RATES = (0.1, 0.1, 0.01)  # of three steps
MOST = 1e-6  # the norm to which gradients are clipped: that of torch's own epsilon
SMOOTHING = 0.1
DROPPED = 0.25


def draw(name: str, *shape: int) -> np.ndarray:
    """float32 from a normal distribution, by the name."""
    return np.random.default_rng(zlib.crc32(name.encode())).normal(size=shape).astype(np.float32)


def labels() -> np.ndarray:
    """The class of the largest logit in each row of "loss.x"; the last row's is another."""
    return np.where(np.arange(4) < 3, draw("loss.x", 4, 6).argmax(1), 2)


def gradients() -> list[np.ndarray]:
    """Of three steps; of the size of ``EPSILON``, so that it matters."""
    return [EPSILON * draw(f"gradient {i}", 5) for i in range(3)]
