"""Outputs of transformers' GPT-2, torch's LSTM and PyG's GCN and GAT on the recipe's weights.

python tests/parity/sequences_and_graphs.py      (needs torch, transformers, torch_geometric)
"""

from pathlib import Path

import numpy as np
import torch
from cases import GPT2, LSTM, graph, tokens
from recipe import weights
from torch_geometric.nn import GATConv, GCNConv
from transformers import GPT2Config, GPT2LMHeadModel

GOLDEN = Path(__file__).parent / "golden"


def filled(module: torch.nn.Module, tied: tuple[str, ...] = ()) -> torch.nn.Module:
    state = {k: tuple(v.shape) for k, v in module.state_dict().items() if k not in tied}
    arrays = {k: torch.from_numpy(v) for k, v in weights(state).items()}
    left, extra = module.load_state_dict(arrays, strict=False)
    assert set(left) <= set(tied) and not extra, (left, extra)
    return module.eval()


class LanguageModel(torch.nn.Module):
    """As in pytorch/examples/word_language_model, without dropout."""

    def __init__(self, vocabulary: int, hidden: int, layers: int):
        super().__init__()
        self.encoder = torch.nn.Embedding(vocabulary, hidden)
        self.rnn = torch.nn.LSTM(hidden, hidden, layers, batch_first=True)
        self.decoder = torch.nn.Linear(hidden, vocabulary)

    def forward(self, x):
        return self.decoder(self.rnn(self.encoder(x))[0])


class GCN(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv0, self.conv1 = GCNConv(10, 6), GCNConv(6, 4)

    def forward(self, x, edges):
        return self.conv1(self.conv0(x, edges).relu(), edges)


class GAT(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv0, self.conv1 = GATConv(10, 3, heads=4), GATConv(12, 5, heads=1, concat=False)

    def forward(self, x, edges):
        return self.conv1(torch.nn.functional.elu(self.conv0(x, edges)), edges)


@torch.no_grad()
def main() -> None:
    config = GPT2Config(
        vocab_size=GPT2["vocabulary"],
        n_positions=GPT2["context"],
        n_layer=GPT2["layers"],
        n_head=GPT2["heads"],
        n_embd=GPT2["features"],
    )
    gpt2 = GPT2LMHeadModel(config)
    gpt2 = filled(gpt2, ("lm_head.weight",))
    gpt2.tie_weights()
    ids = torch.from_numpy(tokens()).long()
    node, senders, receivers = graph()
    edges = torch.from_numpy(np.stack([senders, receivers])).long()
    x = torch.from_numpy(node)
    np.savez_compressed(
        GOLDEN / "sequences_and_graphs.npz",
        gpt2=gpt2(ids).logits.numpy(),
        lstm=filled(LanguageModel(**LSTM))(ids).numpy(),
        gcn=filled(GCN())(x, edges).numpy(),
        gat=filled(GAT())(x, edges).numpy(),
    )


main()
