"""Outputs of encoder-decoder models on torch's layers with the recipe's weights: of recurrent ones, without
and with both kinds of attention, and of the Transformer; sources of different lengths.

python tests/parity/translation.py      (needs torch)
"""

from pathlib import Path

import numpy as np
import torch
from cases import SEQ2SEQ, SOURCES, TRANSFORMER, sources, targets
from recipe import weights
from torch import nn

GOLDEN = Path(__file__).parent / "golden"


def filled(module: nn.Module) -> nn.Module:
    state = {k: tuple(v.shape) for k, v in module.state_dict().items()}
    module.load_state_dict({k: torch.from_numpy(v) for k, v in weights(state).items()})
    return module.eval()


class Part(nn.Module):
    """A place for layers."""

    def __init__(self, **layers: nn.Module):
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)


class Stacked(nn.Module):
    """LSTM layers; with multiplicative attention or none. Each row is read from its own end."""

    def __init__(self, source_vocabulary, vocabulary, features, hidden, layers, attention):
        super().__init__()
        e, h = features, hidden
        self.encoder = Part(
            embedding=nn.Embedding(source_vocabulary, e),
            rnn=nn.LSTM(e, h, layers, batch_first=True),
        )
        self.decoder = Part(
            embedding=nn.Embedding(vocabulary, e),
            rnn=nn.LSTM(e, h, layers, batch_first=True),
            head=nn.Linear(h, vocabulary),
        )
        if attention:
            self.decoder.attention = Part(
                score=nn.Linear(h, h, bias=False), join=nn.Linear(2 * h, h, bias=False)
            )

    def row(self, source, target):
        """A source without padding, and its target."""
        read, memory = self.encoder.rnn(self.encoder.embedding(source.flip(0)[None]))
        x, _ = self.decoder.rnn(self.decoder.embedding(target[None]), memory)
        if hasattr(self.decoder, "attention"):
            weights = (x @ self.decoder.attention.score(read).transpose(1, 2)).softmax(-1)
            x = self.decoder.attention.join(torch.cat([weights @ read, x], -1)).tanh()
        return self.decoder.head(x)[0]


class Additive(nn.Module):
    """GRU layers, the encoder's in both directions, with additive attention."""

    def __init__(self, source_vocabulary, vocabulary, features, hidden):
        super().__init__()
        e, h = features, hidden
        self.encoder = Part(
            embedding=nn.Embedding(source_vocabulary, e),
            rnn=nn.GRU(e, h, batch_first=True, bidirectional=True),
            begin=nn.Linear(h, h),
        )
        self.decoder = Part(
            embedding=nn.Embedding(vocabulary, e),
            attention=Part(
                w=nn.Linear(h, h, bias=False),
                u=nn.Linear(2 * h, h, bias=False),
                v=nn.Linear(h, 1, bias=False),
            ),
            cell=nn.GRUCell(e + 2 * h, h),
            read=nn.Linear(h + e + 2 * h, h),
            head=nn.Linear(h // 2, vocabulary),
        )

    def row(self, source, target):
        """A source without padding, and its target."""
        read, memory = self.encoder.rnn(self.encoder.embedding(source[None]))
        state, out, attend = self.encoder.begin(memory[1]).tanh(), [], self.decoder.attention
        for y in self.decoder.embedding(target):
            scores = attend.v((attend.w(state)[:, None] + attend.u(read)).tanh())
            context = (scores.softmax(1) * read).sum(1)
            state = self.decoder.cell(torch.cat([y[None], context], -1), state)
            deep = self.decoder.read(torch.cat([state, y[None], context], -1))
            out.append(self.decoder.head(deep.reshape(-1, 2).amax(-1)))
        return torch.stack(out)


class Transformer(nn.Module):
    def __init__(self, vocabulary, features, layers, heads, inner):
        super().__init__()
        options = {"batch_first": True, "dropout": 0.0}
        self.embedding = nn.Embedding(vocabulary, features)
        layer = nn.TransformerEncoderLayer(features, heads, inner, **options)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        layer = nn.TransformerDecoderLayer(features, heads, inner, **options)
        self.decoder = nn.TransformerDecoder(layer, layers)

    def embed(self, tokens):
        d, t = self.embedding.embedding_dim, tokens.shape[1]
        place, even = torch.arange(t)[:, None], torch.arange(0, d, 2)
        angles = place * torch.exp(even * (-np.log(10000.0) / d))
        positions = torch.zeros(t, d)
        positions[:, 0::2], positions[:, 1::2] = angles.sin(), angles.cos()
        return self.embedding(tokens) * d**0.5 + positions

    def forward(self, source, target, kept):
        """Logits; ``kept`` gets the output of every layer."""
        nothing = source == 0
        x = self.embed(source)
        for i, layer in enumerate(self.encoder.layers):
            x = layer(x, src_key_padding_mask=nothing)
            kept[f"encoder_{i}"] = x.numpy()
        y, t = self.embed(target), target.shape[1]
        later = torch.ones(t, t, dtype=torch.bool).triu(1)
        for i, layer in enumerate(self.decoder.layers):
            y = layer(y, x, tgt_mask=later, memory_key_padding_mask=nothing)
            kept[f"decoder_{i}"] = y.numpy()
        return y @ self.embedding.weight.T


@torch.no_grad()
def main() -> None:
    out: dict[str, np.ndarray] = {}
    source, target = (torch.from_numpy(x).long() for x in (sources(), targets()))
    models = {
        "plain": Stacked(**SEQ2SEQ, layers=2, attention=False),
        "multiplicative": Stacked(**SEQ2SEQ, layers=2, attention=True),
        "additive": Additive(**SEQ2SEQ),
    }
    for name, model in models.items():
        pairs = zip(source, SOURCES, target, strict=True)
        out[name] = np.stack([filled(model).row(s[:n], t).numpy() for s, n, t in pairs])
    out["transformer"] = filled(Transformer(**TRANSFORMER))(source, target, out).numpy()
    np.savez_compressed(GOLDEN / "translation.npz", **out)


main()
