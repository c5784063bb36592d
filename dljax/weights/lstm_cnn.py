"""The authors' program in Keras (github.com/ntienhuy/MultiChannel), by the order of its layers: the CNN's embedding
and convolutions, the LSTM's embedding and the LSTM, two dense layers.
"""

from typing import Any

from dljax.weights import keras
from dljax.weights.mapping import Entry, reshaped


def entries(model: Any) -> list[Entry]:
    """The map for an LSTM-CNN."""
    out = [
        Entry("params/embed_cnn/embedding", "embedding/embeddings"),
        Entry("params/embed_lstm/embedding", "embedding_1/embeddings"),
        *keras.recurrent("lstm", "lstm/lstm_cell"),
        *keras.dense("hidden", "dense"),
        *keras.dense("head", "dense_1"),
    ]
    for i, h in enumerate(model.heights):
        there, kernel = keras.numbered("conv1d", i), (h, model.features, model.filters)
        join = reshaped(kernel, (h, 1, *kernel[1:]))
        out.append(Entry(f"params/conv{h}/kernel", f"{there}/kernel", join=join))
        out.append(Entry(f"params/conv{h}/bias", f"{there}/bias"))
    return out
