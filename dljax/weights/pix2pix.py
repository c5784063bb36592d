"""pix2pix's generator as the authors' ``UnetGenerator``, whose levels lie inside each other."""

from typing import Any

from dljax.weights.layers import batch_norm, conv, conv_transpose
from dljax.weights.mapping import Entry


def entries(model: Any) -> list[Entry]:
    """The map for a generator; norms without parameters and activations have numbers there too."""
    out, there, last = [], "model.model", model.levels - 1
    bias = model.norm == "instance"

    def norm(here: str, name: str) -> list[Entry]:
        return batch_norm(here, name) if model.norm == "batch" else []

    for level in range(model.levels):
        # (convolution, norm, what lies inside, transposed convolution, its norm)
        if level == 0:
            down, down_norm, inner, up, up_norm = 0, None, 1, 3, None
        elif level == last:
            down, down_norm, inner, up, up_norm = 1, None, None, 3, 4
        else:
            down, down_norm, inner, up, up_norm = 1, 2, 3, 5, 6
        out += conv(f"down{level}", f"{there}.{down}", bias)
        out += conv_transpose(f"up{level}", f"{there}.{up}", bias or level == 0)
        if down_norm is not None:
            out += norm(f"down_norm{level}", f"{there}.{down_norm}")
        if up_norm is not None:
            out += norm(f"up_norm{level}", f"{there}.{up_norm}")
        there = f"{there}.{inner}.model"
    return out
