"""Transforms of gathered examples: (examples, one seed per example) -> examples."""

import numpy as np

from dljax.data.pipeline import Examples


def unit(examples: Examples, seeds: np.ndarray) -> Examples:
    """uint8 images to float32 in 0..1."""
    image = np.multiply(examples["image"], np.float32(1 / 255), dtype=np.float32)
    return {**examples, "image": image}


def signed(examples: Examples, seeds: np.ndarray) -> Examples:
    """uint8 images to float32 in -1..1."""
    image = np.multiply(examples["image"], np.float32(2 / 255), dtype=np.float32) - np.float32(1)
    return {**examples, "image": image}
