"""Weights and inputs from names and shapes alone, the same in both worlds. numpy only."""

import re
import zlib
from collections.abc import Mapping

import numpy as np


def weight(name: str, shape: tuple[int, ...], gain: float = 1.0) -> np.ndarray:
    """float32, drawn from the name, with a scale by kind."""
    draws = np.random.default_rng(zlib.crc32(name.encode())).normal(size=shape)
    last = re.split("[./]", name)[-1]
    if last in ("running_var", "moving_variance"):
        draws = 1 + 0.1 * np.abs(draws)
    elif last in ("running_mean", "moving_mean", "beta") or last.startswith("bias"):
        draws = 0.1 * draws
    elif len(shape) == 1:  # a norm's scale
        draws = 1 + 0.1 * draws
    else:
        draws = gain * draws / np.sqrt(_fan_in(last, shape))
    return draws.astype(np.float32)


def _fan_in(last: str, shape: tuple[int, ...]) -> float:
    """Terms in a sum; PyTorch's kernels have their outputs first, Keras' have them last."""
    if last == "depthwise_kernel":
        return np.prod(shape[:2])
    return np.prod(shape[:-1] if last.endswith("kernel") else shape[1:])


def weights(shapes: Mapping[str, tuple[int, ...]], gain: float = 1.0) -> dict[str, np.ndarray]:
    """The reference's ``state_dict`` of these names and shapes.

    Args:
        gain: of the kernels; sqrt(2) keeps the size of what passes through layers of ReLU.
    """
    return {name: weight(name, tuple(shape), gain) for name, shape in shapes.items()}


def projection(name: str, gradient: np.ndarray) -> np.ndarray:
    """Two numbers for many: the size of a gradient, and its product with draws from its name."""
    draws = np.random.default_rng(zlib.crc32(name.encode()) + 1).normal(size=gradient.shape)
    return np.array([np.linalg.norm(gradient), np.sum(draws * gradient)])
