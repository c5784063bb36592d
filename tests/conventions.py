"""Comparisons with values that tests/parity/conventions.py recorded."""

from pathlib import Path

import numpy as np

THERE = dict(np.load(Path(__file__).parent / "parity" / "golden" / "conventions.npz"))
# float32 sums of at most 64 terms, a norm or a few steps: some ulps of the largest value.
ROUNDING = 1e-5
# A convention makes a thousand roundings' difference on inputs that were chosen for it.
APART = 1e-2


def relative(a, b) -> float:
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    assert a.shape == b.shape
    return np.abs(a - b).max() / np.abs(b).max()


def last(x) -> np.ndarray:
    """[b, c, h, w] as [b, h, w, c]."""
    return np.asarray(x).transpose(0, 2, 3, 1)


def same(ours, name: str, there=lambda x: x) -> None:
    assert relative(ours, there(THERE[name])) < ROUNDING, name


def another(ours, name: str, there=lambda x: x) -> None:
    assert relative(ours, there(THERE[name])) > APART, name
