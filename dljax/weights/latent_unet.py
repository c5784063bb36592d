"""Latent diffusion's U-Net as in diffusers' UNet2DConditionModel (the "unet" of Stable Diffusion 1)."""

from typing import Any

import numpy as np

from dljax.weights.diffusers import attention, timed_residual
from dljax.weights.layers import DENSE, conv, dense, norm
from dljax.weights.mapping import Entry, Join

# A 1x1 convolution there, a dense layer here.
_PIXELWISE = Join(lambda kernel: np.squeeze(kernel, (2, 3)), lambda k: (k[..., None, None],))


def _pixelwise(here: str, there: str) -> list[Entry]:
    weight = Entry(f"params/{here}/kernel", f"{there}.weight", DENSE, _PIXELWISE)
    return [weight, Entry(f"params/{here}/bias", f"{there}.bias")]


def _reader(here: str, there: str) -> list[Entry]:
    block = f"{there}.transformer_blocks.0"
    out = norm(f"{here}/norm", f"{there}.norm")
    out += _pixelwise(f"{here}/input", f"{there}.proj_in")
    for i in (1, 2, 3):
        out += norm(f"{here}/norm{i}", f"{block}.norm{i}")
    out += attention(f"{here}/self_attn", f"{block}.attn1", False)
    out += attention(f"{here}/cross_attn", f"{block}.attn2", False)
    out += dense(f"{here}/linear1", f"{block}.ff.net.0.proj")
    out += dense(f"{here}/linear2", f"{block}.ff.net.2")
    return out + _pixelwise(f"{here}/output", f"{there}.proj_out")


def entries(model: Any) -> list[Entry]:
    """The map for a LatentUNet; levels count from the top, theirs upward from below."""
    out = conv("input", "conv_in")
    for i in (1, 2):
        out += dense(f"time{i}", f"time_embedding.linear_{i}")
    multiples, last = model.multiples, len(model.multiples) - 1

    def block(here: str, there: str, number: int, shortcut: bool, reads: bool) -> list[Entry]:
        found = timed_residual(here, f"{there}.resnets.{number}", shortcut)
        return found + (_reader(f"{here}_reader", f"{there}.attentions.{number}") if reads else [])

    for level, multiple in enumerate(multiples):
        there, reads = f"down_blocks.{level}", level in model.attention
        for layer in range(model.layers):
            grows = layer == 0 and multiples[max(level - 1, 0)] != multiple
            out += block(f"down{level}_{layer}", there, layer, grows, reads)
        if level < last:
            out += conv(f"down{level}", f"{there}.downsamplers.0.conv")
        there = f"up_blocks.{last - level}"
        for layer in range(model.layers + 1):  # each after a concatenation
            out += block(f"up{level}_{layer}", there, layer, True, reads)
        if level:
            out += conv(f"up{level}", f"{there}.upsamplers.0.conv")
    for i in (0, 1):
        out += block(f"middle_{i}", "mid_block", i, False, i == 0)
    return out + norm("norm", "conv_norm_out") + conv("output", "conv_out")
