"""Outputs of torch's and Keras' recurrent layers on the recipe's weights: of torch in both directions, with
sequences of different lengths, and as language models; Keras' with both of the GRU's biases.

python tests/parity/recurrent.py      (needs torch and keras, KERAS_BACKEND=torch)
"""

from pathlib import Path

import keras
import numpy as np
import torch
from cases import LENGTHS, LSTM, sequences, tokens
from recipe import weights
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

GOLDEN = Path(__file__).parent / "golden"
KINDS = {
    "tanh": torch.nn.RNN,
    "relu": lambda *sizes, **options: torch.nn.RNN(*sizes, nonlinearity="relu", **options),
    "lstm": torch.nn.LSTM,
    "gru": torch.nn.GRU,
}
KERAS = {"tanh": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}


def filled(module: torch.nn.Module) -> torch.nn.Module:
    state = {k: tuple(v.shape) for k, v in module.state_dict().items()}
    module.load_state_dict({k: torch.from_numpy(v) for k, v in weights(state).items()})
    return module.eval()


class LanguageModel(torch.nn.Module):
    """As in pytorch/examples/word_language_model, without dropout."""

    def __init__(self, kind: str, vocabulary: int, hidden: int, layers: int):
        super().__init__()
        self.encoder = torch.nn.Embedding(vocabulary, hidden)
        self.rnn = KINDS[kind](hidden, hidden, layers, batch_first=True)
        self.decoder = torch.nn.Linear(hidden, vocabulary)

    def forward(self, x):
        return self.decoder(self.rnn(self.encoder(x))[0])


@torch.no_grad()
def main() -> None:
    out = {}
    x, ids = torch.from_numpy(sequences()), torch.from_numpy(tokens()).long()
    for kind, make in KINDS.items():
        layer = filled(make(4, 6, batch_first=True, bidirectional=True))
        packed = pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
        outputs, memory = layer(packed)
        out[f"{kind}_outputs"] = pad_packed_sequence(outputs, batch_first=True)[0].numpy()
        h = memory[0] if kind == "lstm" else memory
        out[f"{kind}_memory"] = torch.cat([h[0], h[1]], -1).numpy()
        out[f"{kind}_language"] = filled(LanguageModel(kind, **LSTM))(ids).numpy()
    for kind, make in KERAS.items():
        layer = make(6, return_sequences=True)
        layer.build((3, 5, 4))
        shapes = {v.name: tuple(v.shape) for v in layer.weights}
        for variable, value in zip(layer.weights, weights(shapes).values(), strict=True):
            variable.assign(value)
        out[f"keras_{kind}"] = np.asarray(layer(x).detach())
    np.savez_compressed(GOLDEN / "recurrent.npz", **out)


main()
