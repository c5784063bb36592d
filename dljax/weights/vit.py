"""ViT as timm's ``vit_base_patch16_224`` and its kin."""

from typing import Any

from dljax.weights.layers import conv, dense, norm
from dljax.weights.mapping import Entry


def entries(model: Any) -> list[Entry]:
    """The map for a ViT."""
    out = [Entry("params/class", "cls_token"), Entry("params/positions", "pos_embed")]
    out += conv("embed", "patch_embed.proj")
    for i in range(model.layers):
        here, there = f"block{i}", f"blocks.{i}"
        for name in ("norm1", "norm2"):
            out += norm(f"{here}/{name}", f"{there}.{name}")
        out += dense(f"{here}/attention/qkv", f"{there}.attn.qkv")
        out += dense(f"{here}/attention/output", f"{there}.attn.proj")
        out += dense(f"{here}/mlp1", f"{there}.mlp.fc1")
        out += dense(f"{here}/mlp2", f"{there}.mlp.fc2")
    return out + norm("norm", "norm") + dense("output", "head")
