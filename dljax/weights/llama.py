"""Llama as in transformers' LlamaForCausalLM, and as in Meta's own checkpoints and llama2.c."""

from typing import Any

import numpy as np

from dljax.weights.layers import DENSE, dense, embed
from dljax.weights.mapping import Entry, Join


def entries(model: Any) -> list[Entry]:
    """The map to transformers' names."""
    out = [*embed("embed", "model.embed_tokens"), Entry("params/norm/scale", "model.norm.weight")]
    out += _head(model, "lm_head")
    for i in range(model.layers):
        there = f"model.layers.{i}"
        out += _norms(i, f"{there}.input_layernorm", f"{there}.post_attention_layernorm")
        for ours, theirs in zip(("query", "key", "value", "output"), "qkvo", strict=True):
            out += dense(
                f"block{i}/attention/{ours}", f"{there}.self_attn.{theirs}_proj", bias=False
            )
        for name in ("gate", "up", "down"):
            out += dense(f"block{i}/mlp/{name}", f"{there}.mlp.{name}_proj", bias=False)
        out.append(Entry("", f"{there}.self_attn.rotary_emb.inv_freq"))
    return out


def meta_entries(model: Any) -> list[Entry]:
    """The map to Meta's names, where planes of the rotation are neighboring rows (``interleaved``)."""
    out = [*embed("embed", "tok_embeddings"), Entry("params/norm/scale", "norm.weight")]
    out += [*_head(model, "output"), Entry("", "rope.freqs")]
    for i in range(model.layers):
        there = f"layers.{i}"
        out += _norms(i, f"{there}.attention_norm", f"{there}.ffn_norm")
        for ours, theirs, heads in (
            ("query", "wq", model.heads),
            ("key", "wk", model.groups),
            ("value", "wv", 0),
            ("output", "wo", 0),
        ):
            here = f"params/block{i}/attention/{ours}/kernel"
            join = interleaved(heads) if heads else None
            out.append(Entry(here, f"{there}.attention.{theirs}.weight", DENSE, join))
        for ours, theirs in (("gate", "w1"), ("down", "w2"), ("up", "w3")):
            out += dense(f"block{i}/mlp/{ours}", f"{there}.feed_forward.{theirs}", bias=False)
    return out


def interleaved(heads: int) -> Join:
    """The join of a projection [heads d, in] in whose heads rows 2 i and 2 i + 1 are plane i: here they
    are rows i and i + d / 2."""

    def merge(kernel: np.ndarray) -> np.ndarray:
        rows, columns = kernel.shape
        return kernel.reshape(heads, -1, 2, columns).swapaxes(1, 2).reshape(rows, columns)

    def split(kernel: np.ndarray) -> tuple[np.ndarray]:
        rows, columns = kernel.shape
        return (kernel.reshape(heads, 2, -1, columns).swapaxes(1, 2).reshape(rows, columns),)

    return Join(merge, split)


def _norms(i: int, attention: str, mlp: str) -> list[Entry]:
    """The scales of a block's norms, which have no biases."""
    return [
        Entry(f"params/block{i}/attention_norm/scale", f"{attention}.weight"),
        Entry(f"params/block{i}/mlp_norm/scale", f"{mlp}.weight"),
    ]


def _head(model: Any, there: str) -> list[Entry]:
    """The head, which a file may repeat where it is the embedding."""
    return [Entry("", f"{there}.weight")] if model.tied else dense("head", there, bias=False)
