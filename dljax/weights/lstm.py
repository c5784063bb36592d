"""The language model of PyTorch's ``examples/word_language_model``: encoder, rnn (torch.nn.LSTM),
decoder. Its gates have the same order as ours; its two biases are one here, their sum.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dljax.weights.mapping import Entry, to_params


def _entries(layers: int) -> list[Entry]:
    out = [
        Entry("embed/embedding", "encoder.weight"),
        Entry("head/kernel", "decoder.weight", (1, 0)),
        Entry("head/bias", "decoder.bias"),
    ]
    for i in range(layers):
        out.append(Entry(f"lstm{i}/w_x", f"rnn.weight_ih_l{i}", (1, 0)))
        out.append(Entry(f"lstm{i}/w_h", f"rnn.weight_hh_l{i}", (1, 0)))
    return out


def from_torch(state: Mapping[str, Any], layers: int) -> dict[str, Any]:
    """Our parameters from its ``state_dict``."""
    params = to_params(_entries(layers), state)
    for i in range(layers):
        both = (np.asarray(state[f"rnn.bias_{kind}_l{i}"]) for kind in ("ih", "hh"))
        params[f"lstm{i}"]["bias"] = sum(both)
    return params
