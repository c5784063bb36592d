"""FSRCNN as yjn870's port to PyTorch has it."""

from typing import Any

import numpy as np

from dljax.weights.layers import conv
from dljax.weights.mapping import Entry, Join


def _turned(kernel: np.ndarray) -> np.ndarray:
    return kernel[:, :, ::-1, ::-1]


def entries(model: Any) -> list[Entry]:
    """The map for an FSRCNN; a transposed convolution's kernel there is [in, out, h, w], turned round."""
    names = ["extract", "shrink", *(f"map{i}" for i in range(1, model.mappings + 1)), "expand"]
    out = []
    for i, here in enumerate(names):
        # The first layer and its PReLU are a part of their own.
        there, at = ("mid_part", 2 * (i - 1)) if i else ("first_part", 0)
        out += conv(here, f"{there}.{at}")
        out.append(Entry(f"params/{here}_prelu/alpha", f"{there}.{at + 1}.weight"))
    turned = Join(_turned, lambda kernel: (_turned(kernel),))
    weight = Entry("params/deconvolve/kernel", "last_part.weight", (2, 3, 0, 1), turned)
    return [*out, weight, Entry("params/deconvolve/bias", "last_part.bias")]
