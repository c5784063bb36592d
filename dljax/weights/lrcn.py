"""CaffeNet and an LSTM of PyTorch's layers, under the names of the authors' Caffe file: conv1, ..., fc6, lstm1,
fc8-final.
"""

from typing import Any

from dljax.weights.layers import conv, dense, flattened, recurrent
from dljax.weights.mapping import Entry


def entries(model: Any) -> list[Entry]:
    """The map for an LRCN."""
    out = []
    for i in range(1, len(model.stages) + 1):
        out += conv(f"conv{i}", f"conv{i}")
    out += flattened("fc6", "fc6", model.stages[-1].width)
    out += recurrent("lstm", "lstm1", "l0")
    return [*out, *dense("head", "fc8-final")]
