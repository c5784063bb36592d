"""The language model of PyTorch's ``examples/word_language_model``: encoder, rnn (torch.nn.LSTM),
decoder. Its gates have the same order as ours.
"""

from typing import Any

import numpy as np

from dljax.weights.layers import DENSE, dense, embed
from dljax.weights.mapping import Entry, Join

# Its two biases are added wherever they are used; back, the first has all of it.
_ADDED = Join(np.add, lambda bias: (bias, np.zeros_like(bias)))


def entries(model: Any) -> list[Entry]:
    """The map for an LSTM."""
    out = [*embed("embed", "encoder"), *dense("head", "decoder")]
    for i in range(model.layers):
        biases = (f"rnn.bias_ih_l{i}", f"rnn.bias_hh_l{i}")
        out += [
            Entry(f"params/lstm{i}/w_x", f"rnn.weight_ih_l{i}", DENSE),
            Entry(f"params/lstm{i}/w_h", f"rnn.weight_hh_l{i}", DENSE),
            Entry(f"params/lstm{i}/bias", biases, join=_ADDED),
        ]
    return out
