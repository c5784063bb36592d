"""DDPM's U-Net as in diffusers' UNet2DModel (google/ddpm-cifar10-32 and its kin)."""

from typing import Any

from dljax.weights.layers import conv, dense, norm
from dljax.weights.mapping import Entry


def _residual(here: str, there: str, shortcut: bool) -> list[Entry]:
    out = norm(f"{here}/norm1", f"{there}.norm1")
    out += conv(f"{here}/conv1", f"{there}.conv1")
    out += dense(f"{here}/time", f"{there}.time_emb_proj")
    out += norm(f"{here}/norm2", f"{there}.norm2")
    out += conv(f"{here}/conv2", f"{there}.conv2")
    return out + (conv(f"{here}/shortcut", f"{there}.conv_shortcut") if shortcut else [])


def _attention(here: str, there: str) -> list[Entry]:
    out = norm(f"{here}_attention/norm", f"{there}.group_norm")
    names = {"query": "to_q", "key": "to_k", "value": "to_v", "output": "to_out.0"}
    for ours, theirs in names.items():
        out += dense(f"{here}_attention/{ours}", f"{there}.{theirs}")
    return out


def entries(model: Any) -> list[Entry]:
    """The map for a DDPM; levels count from the top, theirs upward from below."""
    out = conv("input", "conv_in")
    for i in (1, 2):
        out += dense(f"time{i}", f"time_embedding.linear_{i}")
    widths, last = model.widths, len(model.widths) - 1
    for level, width in enumerate(widths):
        there = f"down_blocks.{level}"
        for layer in range(model.layers):
            here = f"down{level}_{layer}"
            grows = layer == 0 and level > 0 and widths[level - 1] != width
            out += _residual(here, f"{there}.resnets.{layer}", grows)
            if level in model.attention:
                out += _attention(here, f"{there}.attentions.{layer}")
        if level < last:
            out += conv(f"down{level}", f"{there}.downsamplers.0.conv")
    for i in (0, 1):
        out += _residual(f"middle_{i}", f"mid_block.resnets.{i}", False)
    out += _attention("middle_0", "mid_block.attentions.0")
    for level in range(len(widths)):
        there = f"up_blocks.{last - level}"
        for layer in range(model.layers + 1):
            here = f"up{level}_{layer}"
            out += _residual(here, f"{there}.resnets.{layer}", True)  # after a concatenation
            if level in model.attention:
                out += _attention(here, f"{there}.attentions.{layer}")
        if level:
            out += conv(f"up{level}", f"{there}.upsamplers.0.conv")
    return out + norm("norm", "conv_norm_out") + conv("output", "conv_out")
