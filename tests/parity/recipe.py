"""Weights and inputs from names and shapes alone, the same in both worlds. numpy only."""

import zlib
from collections.abc import Mapping

import numpy as np


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """float32, drawn from the name, with a scale by kind."""
    draws = np.random.default_rng(zlib.crc32(name.encode())).normal(size=shape)
    last = name.rsplit(".", 1)[-1]
    if last == "running_var":
        draws = 1 + 0.1 * np.abs(draws)
    elif last == "running_mean" or last.startswith("bias"):
        draws = 0.1 * draws
    elif len(shape) == 1:  # a norm's scale
        draws = 1 + 0.1 * draws
    else:
        draws = draws / np.sqrt(np.prod(shape[1:]))
    return draws.astype(np.float32)


def weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """The reference's ``state_dict`` of these names and shapes."""
    return {name: weight(name, tuple(shape)) for name, shape in shapes.items()}
