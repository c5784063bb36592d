"""A classifier of PyTorch's layers: embed, lstm (torch.nn.LSTM, bidirectional), fc."""

from typing import Any

from dljax.weights.layers import dense, embed, recurrent
from dljax.weights.mapping import Entry


def entries(model: Any) -> list[Entry]:
    """The map for a BiLSTM."""
    out = [*embed("embed", "embed"), *dense("head", "fc")]
    for i in range(model.layers):
        out += recurrent(f"lstm{i}/forwards", "lstm", f"l{i}")
        out += recurrent(f"lstm{i}/backwards", "lstm", f"l{i}_reverse")
    return out
