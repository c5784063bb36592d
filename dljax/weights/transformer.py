"""The Transformer on PyTorch's layers: ``embedding`` (torch.nn.Embedding, also the head), ``encoder`` and
``decoder`` (torch.nn.TransformerEncoder and Decoder of post-norm layers, without a norm after the last).

Of a torch.nn.Transformer with its default stacks, the two last norms have no counterpart here.
"""

from typing import Any

from dljax.weights.layers import DENSE, dense, embed, norm
from dljax.weights.mapping import Entry


def _attention(here: str, there: str) -> list[Entry]:
    """torch.nn.MultiheadAttention."""
    return [
        Entry(f"params/{here}/kernel", f"{there}.in_proj_weight", DENSE),
        Entry(f"params/{here}/bias", f"{there}.in_proj_bias"),
        *dense(f"{here}/output", f"{there}.out_proj"),
    ]


def entries(model: Any) -> list[Entry]:
    """The map for a Transformer."""
    out = embed("embed", "embedding")
    for i in range(model.layers):
        for kind, norms in (("encoder", 2), ("decoder", 3)):
            here, there = f"{kind}_{i}", f"{kind}.layers.{i}"
            out += _attention(f"{here}/self_attn", f"{there}.self_attn")
            for j in range(1, norms + 1):
                out += norm(f"{here}/norm{j}", f"{there}.norm{j}")
            for name in ("linear1", "linear2"):
                out += dense(f"{here}/mlp/{name}", f"{there}.{name}")
        out += _attention(f"decoder_{i}/cross_attn", f"decoder.layers.{i}.multihead_attn")
    return out
