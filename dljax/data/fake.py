"""Fake twins: the shapes of a real dataset, made from a seed, and learnable."""

import numpy as np

from dljax.data.pipeline import Arrays


def images(n: int, shape: tuple[int, int, int], classes: int, *, split: int = 0) -> Arrays:
    """``image`` uint8 [n, h, w, c], ``label`` int32 [n]: smooth class prototypes under noise.

    Splits (0 train, 1 test) share the prototypes and differ in labels and noise.
    """
    h, w, c = shape
    coarse = np.random.default_rng(7).uniform(0, 255, (classes, -(-h // 4), -(-w // 4), c))
    prototypes = coarse.repeat(4, 1).repeat(4, 2)[:, :h, :w]
    rng = np.random.default_rng([7, split])
    label = rng.integers(0, classes, n).astype(np.int32)
    noisy = prototypes[label] + rng.normal(0, 40, (n, h, w, c))
    return Arrays({"image": np.clip(noisy, 0, 255).astype(np.uint8), "label": label})
