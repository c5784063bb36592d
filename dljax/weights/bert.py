"""BERT and RoBERTa as in transformers' BertModel, BertForPreTraining and their kin."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from dljax.errors import UserError
from dljax.weights.layers import DENSE, dense, embed, norm
from dljax.weights.mapping import Entry, Join

_QKV = Join(lambda *parts: np.concatenate(parts), lambda whole: np.split(whole, 3))
# What the names of transformers' heads begin with.
_HEADS = ("pooler.", "cls.", "classifier.", "qa_outputs.", "lm_head.")


def entries(model: Any) -> list[Entry]:
    """The map for a BERT with the class of transformers that has its head: for a pooler, BertModel."""
    prefix = "" if _head_of(model) == "Pooler" else _library(model)
    return [*_encoder(model, prefix), *_head(model, prefix)]


def fitting(model: Any, names: Iterable[str]) -> list[Entry]:
    """The map for a BERT with a file of these names, of any class.

    The encoder's names may begin with "bert.", "roberta." or nothing, and the norms' end as the first
    checkpoints' do, in "gamma" and "beta". Arrays of heads that the model has not are left out.
    """
    names = set(names)
    prefix = next(
        (p for p in ("bert.", "roberta.", "") if f"{p}embeddings.word_embeddings.weight" in names),
        _library(model),
    )
    found = [*_encoder(model, prefix), *_head(model, prefix)]
    if any(name.endswith("LayerNorm.gamma") for name in names):
        ends = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
        for old, new in ends.items():
            found = [
                e._replace(name=e.name.removesuffix(old) + new)
                if isinstance(e.name, str) and e.name.endswith(old)
                else e
                for e in found
            ]
    known = {name for entry in found for name in entry.names}
    others = (n for n in sorted(names - known) if n.removeprefix(prefix).startswith(_HEADS))
    return [*found, *(Entry("", name) for name in others)]


def _head_of(model: Any) -> str:
    return type(model.head).__name__


def _library(model: Any) -> str:
    return "roberta." if model.offset else "bert."


def _encoder(model: Any, prefix: str) -> list[Entry]:
    there = f"{prefix}embeddings"
    out = [Entry("", f"{there}.{buffer}") for buffer in ("position_ids", "token_type_ids")]
    out += embed("embed", f"{there}.word_embeddings")
    out += embed("embed_position", f"{there}.position_embeddings")
    out += embed("embed_type", f"{there}.token_type_embeddings")
    out += norm("norm", f"{there}.LayerNorm")
    for i in range(model.layers):
        here, there = f"layer_{i}", f"{prefix}encoder.layer.{i}"
        parts = [f"{there}.attention.self.{part}" for part in ("query", "key", "value")]
        kernels, biases = (tuple(f"{p}.{leaf}" for p in parts) for leaf in ("weight", "bias"))
        out.append(Entry(f"params/{here}/qkv/kernel", kernels, DENSE, _QKV))
        out.append(Entry(f"params/{here}/qkv/bias", biases, join=_QKV))
        out += dense(f"{here}/attention", f"{there}.attention.output.dense")
        out += norm(f"{here}/norm1", f"{there}.attention.output.LayerNorm")
        out += dense(f"{here}/mlp1", f"{there}.intermediate.dense")
        out += dense(f"{here}/mlp2", f"{there}.output.dense")
        out += norm(f"{here}/norm2", f"{there}.output.LayerNorm")
    return out


def _masked(model: Any, here: str) -> list[Entry]:
    if model.offset:
        there, names = "lm_head", ("dense", "layer_norm")
    else:
        there, names = "cls.predictions", ("transform.dense", "transform.LayerNorm")
    out = dense(f"{here}/dense", f"{there}.{names[0]}") + norm(
        f"{here}/norm", f"{there}.{names[1]}"
    )
    out.append(Entry(f"params/{here}/bias", f"{there}.bias"))
    # The embedding and the bias again.
    return [*out, Entry("", f"{there}.decoder.weight"), Entry("", f"{there}.decoder.bias")]


def _head(model: Any, prefix: str) -> list[Entry]:
    kind, pooler = _head_of(model), f"{prefix}pooler.dense"
    if kind == "Pooler":
        return dense("head/dense", pooler)
    if kind == "MaskedLM":
        return _masked(model, "head")
    if kind == "PreTraining":
        out = dense("head/pooler/dense", pooler) + dense("head/next", "cls.seq_relationship")
        return out + _masked(model, "head/masked")
    if kind == "Classifier" and model.offset:  # RoBERTa's has the pooler in it
        out = dense("head/pooler/dense", "classifier.dense")
        return out + dense("head/output", "classifier.out_proj")
    if kind == "Classifier":
        return dense("head/pooler/dense", pooler) + dense("head/output", "classifier")
    if kind == "Spans":
        return dense("head/output", "qa_outputs")
    if kind in ("Tagger", "Relations"):  # transformers has no class for relations
        return dense("head/output", "classifier")
    raise UserError(
        f"transformers has no names for the head {kind}: expected one of dljax/models/transformers/bert.py"
    )
