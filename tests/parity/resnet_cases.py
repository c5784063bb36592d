"""Inputs that ``resnets.py`` and the parity test share. numpy only."""

import numpy as np

VARIANTS = {"18": 64, "50": 64, "cifar20": 32}  # name -> side of the images


def image(side: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, side, side, 3)).astype(np.float32)
