"""The U-Net of openai/improved-diffusion's UNetModel with scale and shift in its norms."""

from typing import Any

import numpy as np

from dljax.weights.layers import DENSE, conv, dense, norm
from dljax.weights.mapping import Entry, Join


def _pixelwise(here: str, there: str) -> list[Entry]:
    """Conv1d of width 1, a dense layer here."""
    join = Join(lambda kernel: np.squeeze(kernel, 2), lambda kernel: (kernel[..., None],))
    weight = Entry(f"params/{here}/kernel", f"{there}.weight", DENSE, join)
    return [weight, Entry(f"params/{here}/bias", f"{there}.bias")]


def _residual(here: str, there: str, shortcut: bool) -> list[Entry]:
    out = norm(f"{here}/norm1", f"{there}.in_layers.0")
    out += conv(f"{here}/conv1", f"{there}.in_layers.2")
    out += dense(f"{here}/condition", f"{there}.emb_layers.1")
    out += norm(f"{here}/norm2", f"{there}.out_layers.0")
    out += conv(f"{here}/conv2", f"{there}.out_layers.3")
    return out + (conv(f"{here}/shortcut", f"{there}.skip_connection") if shortcut else [])


def _attention(here: str, there: str) -> list[Entry]:
    out = norm(f"{here}_attention/norm", f"{there}.norm")
    out += _pixelwise(f"{here}_attention/qkv", f"{there}.qkv")
    return out + _pixelwise(f"{here}_attention/output", f"{there}.proj_out")


def entries(model: Any) -> list[Entry]:
    """The map for an ImprovedDDPM; their blocks are counted through the levels."""
    out = dense("time1", "time_embed.0") + dense("time2", "time_embed.2")
    if model.classes:
        out.append(Entry("params/label/kernel", "label_emb.weight"))
    out += conv("input", "input_blocks.0.0")
    levels, before, count = len(model.multiples), 1, 1
    for level, multiple in enumerate(model.multiples):
        for layer in range(model.layers):
            here, there = f"down{level}_{layer}", f"input_blocks.{count}"
            out += _residual(here, f"{there}.0", multiple != before)
            if level in model.attention:
                out += _attention(here, f"{there}.1")
            before, count = multiple, count + 1
        if level < levels - 1:
            out += conv(f"down{level}", f"input_blocks.{count}.0.op")
            count += 1
    out += _residual("middle_0", "middle_block.0", False)
    out += _attention("middle_0", "middle_block.1")
    out += _residual("middle_1", "middle_block.2", False)
    for level in reversed(range(levels)):
        for layer in range(model.layers + 1):
            here = f"up{level}_{layer}"
            there = f"output_blocks.{(levels - 1 - level) * (model.layers + 1) + layer}"
            out += _residual(here, f"{there}.0", True)  # after a concatenation
            attends = level in model.attention
            if attends:
                out += _attention(here, f"{there}.1")
            if level and layer == model.layers:
                out += conv(f"up{level}", f"{there}.{2 if attends else 1}.conv")
    return out + norm("norm", "out.0") + conv("output", "out.2")
