"""Outputs of torch's layers, put together as the hybrids' own programs do, and of Keras' for the LSTM-CNN, on the
recipe's weights.

python tests/parity/hybrids.py      (needs torch and keras, KERAS_BACKEND=torch)
"""

from pathlib import Path

import keras
import numpy as np
import torch
from cases import BILSTM, LSTM_CNN, TCN, TEXT_CNN, sentences, series, video
from recipe import weights
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

GOLDEN = Path(__file__).parent / "golden"


def filled(module: nn.Module) -> nn.Module:
    state = {k: tuple(v.shape) for k, v in module.state_dict().items()}
    module.load_state_dict({k: torch.from_numpy(v) for k, v in weights(state).items()})
    return module.eval()


class TextCNN(nn.Module):
    """Shawn1993's names; zeros around, as in Kim's program, and no vector for the token 0."""

    def __init__(self, vocabulary, classes, features, heights, filters):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, features)
        self.convs1 = nn.ModuleList(
            nn.Conv2d(1, filters, (h, features), padding=(h - 1, 0)) for h in heights
        )
        self.fc1 = nn.Linear(filters * len(heights), classes)

    def forward(self, x):
        # One sentence at a time, without what fills it up.
        out = []
        for row in x:
            words = self.embed(row[row > 0])[None, None]
            maxima = [conv(words).relu()[..., 0].amax(-1) for conv in self.convs1]
            out.append(self.fc1(torch.cat(maxima, 1)))
        return torch.cat(out)


class BiLSTM(nn.Module):
    def __init__(self, vocabulary, classes, features, hidden, layers):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, features)
        self.lstm = nn.LSTM(features, hidden, layers, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * hidden, classes)

    def forward(self, x):
        lengths = (x > 0).sum(1)
        packed = pack_padded_sequence(
            self.embed(x), lengths, batch_first=True, enforce_sorted=False
        )
        out, (h, _) = self.lstm(packed)
        assert pad_packed_sequence(out, batch_first=True)[0].shape[:2] == x.shape
        return self.fc(torch.cat([h[-2], h[-1]], 1))


class Block(nn.Module):
    def __init__(self, inputs, width, kernel, dilation):
        super().__init__()
        self.past = dilation * (kernel - 1)
        self.conv1, self.conv2 = (
            torch.nn.utils.weight_norm(nn.Conv1d(n, width, kernel, dilation=dilation))
            for n in (inputs, width)
        )
        self.downsample = nn.Conv1d(inputs, width, 1) if inputs != width else None

    def forward(self, x):
        out = self.conv1(F.pad(x, (self.past, 0))).relu()
        out = self.conv2(F.pad(out, (self.past, 0))).relu()
        return (out + (x if self.downsample is None else self.downsample(x))).relu()


class Network(nn.Module):
    def __init__(self, inputs, widths, kernel):
        super().__init__()
        before = (inputs, *widths[:-1])
        self.network = nn.Sequential(
            *(
                Block(n, w, kernel, 2**i)
                for i, (n, w) in enumerate(zip(before, widths, strict=True))
            )
        )


class TemporalConvNet(nn.Module):
    def __init__(self, channels, outputs, widths, kernel):
        super().__init__()
        self.tcn = Network(channels, widths, kernel)
        self.linear = nn.Linear(widths[-1], outputs)

    def forward(self, x):
        return self.linear(self.tcn.network(x.transpose(1, 2))[:, :, -1])


class LRCN(nn.Module):
    """CaffeNet's layers, narrow: two groups, overlapping pooling, norms."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 11, 4)
        self.conv2 = nn.Conv2d(8, 12, 5, padding=2, groups=2)
        self.conv3 = nn.Conv2d(12, 16, 3, padding=1)
        self.fc6 = nn.Linear(16 * 4, 10)
        self.lstm1 = nn.LSTM(10, 6, batch_first=True)
        self.add_module("fc8-final", nn.Linear(6, 5))
        self.norm = nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0)

    def forward(self, x):
        b, t = x.shape[:2]
        x = x.flatten(0, 1).permute(0, 3, 1, 2)
        x = self.norm(F.max_pool2d(self.conv1(x).relu(), 3, 2))
        x = self.norm(F.max_pool2d(self.conv2(x).relu(), 3, 2))
        x = F.max_pool2d(self.conv3(x).relu(), 3, 2)
        x = self.fc6(x.flatten(1)).relu().reshape(b, t, -1)
        scores = getattr(self, "fc8-final")(self.lstm1(x)[0])
        return scores.softmax(-1).mean(1).log()


def lstm_cnn(ids: np.ndarray) -> np.ndarray:
    """One sentence at a time, without what fills it up, zeros around for the convolutions."""
    keras.utils.clear_session()
    sizes = LSTM_CNN
    layers = keras.layers
    given = keras.Input((None,), dtype="int32")
    words = layers.Embedding(sizes["vocabulary"], sizes["features"])(given)
    channels = []
    for h in sizes["heights"]:
        around = layers.ZeroPadding1D(h - 1)(words)
        conv = layers.Conv1D(sizes["filters"], h, activation="relu")(around)
        channels.append(layers.GlobalMaxPooling1D()(conv))
    own = layers.Embedding(sizes["vocabulary"], sizes["features"])(given)
    joined = layers.Concatenate()([layers.LSTM(sizes["recurrent"])(own), *channels])
    hidden = layers.Dense(sizes["hidden"], activation="sigmoid")(joined)
    model = keras.Model(given, layers.Dense(sizes["classes"])(hidden))
    shapes = {v.path: tuple(v.shape) for v in model.weights}
    print(shapes)
    for variable, value in zip(model.weights, weights(shapes).values(), strict=True):
        variable.assign(value)
    return np.concatenate([model(row[row > 0][None]).detach().numpy() for row in ids])


@torch.no_grad()
def main() -> None:
    ids = sentences()
    long = torch.from_numpy(ids).long()
    np.savez_compressed(
        GOLDEN / "hybrids.npz",
        text_cnn=filled(TextCNN(**TEXT_CNN))(long).numpy(),
        bilstm=filled(BiLSTM(**BILSTM))(long).numpy(),
        lstm_cnn=lstm_cnn(ids),
        tcn=filled(TemporalConvNet(**TCN))(torch.from_numpy(series())).numpy(),
        lrcn=filled(LRCN())(torch.from_numpy(video())).numpy(),
    )


main()
