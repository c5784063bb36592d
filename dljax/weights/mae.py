"""MAE as the authors' ``mae_vit_base_patch16`` and its kin."""

from typing import Any

from dljax.weights.layers import conv, dense, norm
from dljax.weights.mapping import Entry


def _block(here: str, there: str) -> list[Entry]:
    return [
        *norm(f"{here}/norm1", f"{there}.norm1"),
        *norm(f"{here}/norm2", f"{there}.norm2"),
        *dense(f"{here}/qkv", f"{there}.attn.qkv"),
        *dense(f"{here}/output", f"{there}.attn.proj"),
        *dense(f"{here}/mlp1", f"{there}.mlp.fc1"),
        *dense(f"{here}/mlp2", f"{there}.mlp.fc2"),
    ]


def entries(model: Any) -> list[Entry]:
    """The map for an MAE; the positions, which are computed here, are no weights."""
    out = [
        Entry("params/encoder/class", "cls_token"),
        Entry("params/mask", "mask_token"),
        Entry("", "pos_embed"),
        Entry("", "decoder_pos_embed"),
        *conv("encoder/embed", "patch_embed.proj"),
        *norm("encoder/norm", "norm"),
        *dense("embed", "decoder_embed"),
        *norm("norm", "decoder_norm"),
        *dense("pixels", "decoder_pred"),
    ]
    for i in range(model.encoder.layers):
        out += _block(f"encoder/block{i}", f"blocks.{i}")
    for i in range(model.layers):
        out += _block(f"block{i}", f"decoder_blocks.{i}")
    return out
