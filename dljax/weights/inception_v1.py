"""Inception v1 as torchvision's ``googlenet``."""

from typing import Any

import numpy as np

from dljax.weights import layers
from dljax.weights.mapping import Entry, Join

NAMES = {
    "one": "branch1",
    "three_reduce": "branch2.0",
    "three": "branch2.1",
    "five_reduce": "branch3.0",
    "five": "branch3.1",
    "pool": "branch4.1",
}


def _flattened(channels: int, side: int) -> Join:
    """The join of a Linear after [c, h, w] in a row, [out, c h w], to one after [h, w, c]."""

    def merge(x: np.ndarray) -> np.ndarray:
        return x.reshape(-1, channels, side, side).transpose(0, 2, 3, 1).reshape(len(x), -1)

    def split(x: np.ndarray) -> tuple[np.ndarray]:
        image = x.reshape(-1, side, side, channels)
        return (image.transpose(0, 3, 1, 2).reshape(len(x), -1),)

    return Join(merge, split)


def _convolution(here: str, there: str) -> list[Entry]:
    conv = layers.conv(f"{here}/conv", f"{there}.conv", bias=False)
    return conv + layers.batch_norm(f"{here}/bn", f"{there}.bn")


def _head(number: int, channels: int) -> list[Entry]:
    here, there = f"auxiliary{number}", f"aux{number}"
    weight, bias = layers.dense(f"{here}/hidden", f"{there}.fc1")
    out = [weight._replace(join=_flattened(channels, 4)), bias]
    return (
        out
        + _convolution(f"{here}/conv", f"{there}.conv")
        + layers.dense(f"{here}/output", f"{there}.fc2")
    )


def entries(model: Any) -> list[Entry]:
    """The map for torchvision's names; a network without auxiliary heads passes over theirs."""
    out = []
    for i in (1, 2, 3):
        out += _convolution(f"conv{i}", f"conv{i}")
    for stage, rows in enumerate(model.stages, 3):
        for letter in "abcde"[: len(rows)]:
            module = f"inception{stage}{letter}"
            for ours, theirs in NAMES.items():
                out += _convolution(f"{module}/{ours}", f"{module}.{theirs}")
    for i in (1, 2):
        head = _head(i, model.head[0])
        kept = i <= len(model.auxiliary)
        out += head if kept else [entry._replace(path="") for entry in head]
    return out + layers.dense("output", "fc")
