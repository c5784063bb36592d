"""Networks of text in PyTorch, the same as dljax's: peers of versus_torch.py, beside peers_torch.py."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Recurrent(nn.Module):
    """A language model of two recurrent layers. Where torch adds two biases that are never told apart (LSTM),
    the second stays zero and is not trained.
    """

    def __init__(self, kind: type[nn.RNNBase], vocabulary: int = 10_000, hidden: int = 200) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, hidden)
        self.layers = kind(hidden, hidden, 2, batch_first=True)
        if kind is nn.LSTM:
            for name, value in self.layers.named_parameters():
                if name.startswith("bias_hh"):
                    nn.init.zeros_(value.requires_grad_(False))
        self.head = nn.Linear(hidden, vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.layers(self.embed(tokens))[0])


def in_heads(x: Tensor, heads: int) -> Tensor:
    b, t, d = x.shape
    return x.view(b, t, heads, d // heads).transpose(1, 2)


def together(x: Tensor) -> Tensor:
    b, k, t, d = x.shape
    return x.transpose(1, 2).reshape(b, t, k * d)


def small(model: nn.Module) -> None:
    """Matrices of a deviation of 0.02."""
    for value in model.parameters():
        if value.ndim > 1:
            nn.init.normal_(value, std=0.02)


class Block(nn.Module):
    """GPT-2's."""

    def __init__(self, d: int, heads: int, dropout: float, bias: bool) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.ln_1, self.ln_2 = nn.LayerNorm(d, bias=bias), nn.LayerNorm(d, bias=bias)
        self.c_attn = nn.Linear(d, 3 * d, bias=bias)
        self.c_proj = nn.Linear(d, d, bias=bias)
        self.mlp = nn.Sequential(
            nn.Linear(d, 4 * d, bias=bias),
            nn.GELU("tanh"),
            nn.Linear(4 * d, d, bias=bias),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (in_heads(part, self.heads) for part in self.c_attn(self.ln_1(x)).chunk(3, 2))
        rate = self.dropout if self.training else 0.0
        out = F.scaled_dot_product_attention(q, k, v, dropout_p=rate, is_causal=True)
        x = x + F.dropout(self.c_proj(together(out)), self.dropout, self.training)
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    def __init__(
        self,
        layers: int,
        heads: int,
        d: int,
        context: int,
        dropout: float,
        vocabulary: int = 65,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, d), nn.Embedding(context, d)
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.Sequential(*(Block(d, heads, dropout, bias) for _ in range(layers)))
        self.ln_f = nn.LayerNorm(d, bias=bias)
        self.register_buffer("places", torch.arange(context))
        small(self)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.drop(self.wte(tokens) + self.wpe(self.places[: tokens.shape[1]]))
        return F.linear(self.ln_f(self.blocks(x)), self.wte.weight)  # the head is the embedding


class BertLayer(nn.Module):
    def __init__(self, d: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.qkv, self.output = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.mlp1, self.mlp2 = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
        self.norm1, self.norm2 = nn.LayerNorm(d, 1e-12), nn.LayerNorm(d, 1e-12)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        q, k, v = (in_heads(part, self.heads) for part in self.qkv(x).chunk(3, 2))
        rate = self.dropout if self.training else 0.0
        out = F.scaled_dot_product_attention(q, k, v, seen, dropout_p=rate)
        out = F.dropout(self.output(together(out)), self.dropout, self.training)
        x = self.norm1(x + out)
        out = F.dropout(self.mlp2(F.gelu(self.mlp1(x))), self.dropout, self.training)
        return self.norm2(x + out)


class BERT(nn.Module):
    """With the head of masked tokens."""

    def __init__(
        self, layers: int = 12, heads: int = 12, d: int = 768, vocabulary: int = 30_522
    ) -> None:
        super().__init__()
        self.embed, self.positions = nn.Embedding(vocabulary, d), nn.Embedding(512, d)
        self.types, self.norm = nn.Embedding(2, d), nn.LayerNorm(d, 1e-12)
        self.drop = nn.Dropout(0.1)
        self.layers = nn.ModuleList(BertLayer(d, heads, 0.1) for _ in range(layers))
        self.dense, self.head_norm = nn.Linear(d, d), nn.LayerNorm(d, 1e-12)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        self.register_buffer("places", torch.arange(512))
        small(self)

    def forward(self, tokens: Tensor) -> Tensor:
        seen = (tokens != 0)[:, None, None]
        at = self.positions(self.places[: tokens.shape[1]])
        x = self.norm(self.embed(tokens) + at + self.types(torch.zeros_like(tokens)))
        x = self.drop(x)
        for layer in self.layers:
            x = layer(x, seen)
        x = self.head_norm(F.gelu(self.dense(x)))
        return F.linear(x, self.embed.weight, self.bias)


class MultiHead(nn.Module):
    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads, self.qkv, self.output = heads, nn.Linear(d, 3 * d), nn.Linear(d, d)

    def forward(
        self, x: Tensor, memory: Tensor | None = None, mask: Tensor | None = None, causal=False
    ) -> Tensor:
        if memory is None:
            parts = self.qkv(x).chunk(3, 2)
        else:
            weight, bias = self.qkv.weight.split(x.shape[2]), self.qkv.bias.split(x.shape[2])
            q = F.linear(x, weight[0], bias[0])
            parts = (q, *(F.linear(memory, weight[i], bias[i]) for i in (1, 2)))
        q, k, v = (in_heads(part, self.heads) for part in parts)
        return self.output(
            together(F.scaled_dot_product_attention(q, k, v, mask, is_causal=causal))
        )


class TransformerLayer(nn.Module):
    """Of the encoder; of the decoder with ``cross``."""

    def __init__(self, d: int, heads: int, inner: int, dropout: float, cross: bool) -> None:
        super().__init__()
        self.attention = MultiHead(d, heads)
        self.cross = MultiHead(d, heads) if cross else None
        self.mlp = nn.Sequential(nn.Linear(d, inner), nn.ReLU(), nn.Linear(inner, d))
        self.norms = nn.ModuleList(nn.LayerNorm(d) for _ in range(3 if cross else 2))
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor, memory: Tensor | None = None) -> Tensor:
        own = self.attention(x, mask=None if self.cross else mask, causal=bool(self.cross))
        x = self.norms[0](x + self.drop(own))
        if self.cross:
            x = self.norms[1](x + self.drop(self.cross(x, memory, mask)))
        return self.norms[-1](x + self.drop(self.mlp(x)))


class Transformer(nn.Module):
    """The base model; one matrix for both embeddings and the head."""

    def __init__(self, vocabulary: int = 37_000, d: int = 512, layers: int = 6) -> None:
        super().__init__()
        self.embed, self.drop, self.d = nn.Embedding(vocabulary, d), nn.Dropout(0.1), d
        nn.init.normal_(self.embed.weight, std=d**-0.5)
        sizes = (d, 8, 2048, 0.1)
        self.encoder = nn.ModuleList(TransformerLayer(*sizes, False) for _ in range(layers))
        self.decoder = nn.ModuleList(TransformerLayer(*sizes, True) for _ in range(layers))
        angle = torch.arange(512)[:, None] / 10_000 ** (torch.arange(0, d, 2) / d)
        self.register_buffer("sinusoids", torch.stack([angle.sin(), angle.cos()], -1).flatten(1))

    def embedded(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens) * math.sqrt(self.d)
        return self.drop(x + self.sinusoids[: tokens.shape[1]])

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        mask = (source != 0)[:, None, None]
        memory, x = self.embedded(source), self.embedded(target)
        for layer in self.encoder:
            memory = layer(memory, mask)
        for layer in self.decoder:
            x = layer(x, mask, memory)
        return F.linear(x, self.embed.weight)
