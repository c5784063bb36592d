"""DDPM's U-Net as in diffusers' UNet2DModel (google/ddpm-cifar10-32 and its kin)."""

from typing import Any

from dljax.weights.diffusers import image_attention, timed_residual
from dljax.weights.layers import conv, dense, norm
from dljax.weights.mapping import Entry


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
            out += timed_residual(here, f"{there}.resnets.{layer}", grows)
            if level in model.attention:
                out += image_attention(f"{here}_attention", f"{there}.attentions.{layer}")
        if level < last:
            out += conv(f"down{level}", f"{there}.downsamplers.0.conv")
    for i in (0, 1):
        out += timed_residual(f"middle_{i}", f"mid_block.resnets.{i}", False)
    out += image_attention("middle_0_attention", "mid_block.attentions.0")
    for level in range(len(widths)):
        there = f"up_blocks.{last - level}"
        for layer in range(model.layers + 1):
            here = f"up{level}_{layer}"
            out += timed_residual(here, f"{there}.resnets.{layer}", True)  # after a concatenation
            if level in model.attention:
                out += image_attention(f"{here}_attention", f"{there}.attentions.{layer}")
        if level:
            out += conv(f"up{level}", f"{there}.upsamplers.0.conv")
    return out + norm("norm", "conv_norm_out") + conv("output", "conv_out")
