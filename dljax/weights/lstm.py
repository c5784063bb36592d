"""The language model of PyTorch's ``examples/word_language_model``: encoder, rnn (torch.nn.LSTM),
decoder. Its gates have the same order as ours.
"""

from typing import Any

from dljax.weights.layers import dense, embed, recurrent
from dljax.weights.mapping import Entry


def entries(model: Any) -> list[Entry]:
    """The map for an LSTM."""
    out = [*embed("embed", "encoder"), *dense("head", "decoder")]
    for i in range(model.layers):
        out += recurrent(f"lstm{i}", "rnn", f"l{i}")
    return out
