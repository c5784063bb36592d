"""SRResNet as leftthomas' SRGAN for PyTorch has it, in the layout of its trained weights (without BatchNorm
behind the blocks) and in the later one.
"""

from typing import Any

from dljax.weights.layers import batch_norm, conv
from dljax.weights.mapping import Entry


def _prelu(here: str, there: str) -> list[Entry]:
    return [Entry(f"params/{here}/alpha", f"{there}.weight")]


def entries(model: Any) -> list[Entry]:
    """The map for an SRResNet."""
    out = conv("input", "block1.0") + _prelu("prelu", "block1.1")
    for i in range(model.blocks):
        here, there = f"block{i}", f"block{i + 2}"
        for j in (1, 2):
            out += conv(f"{here}/conv{j}", f"{there}.conv{j}")
            out += batch_norm(f"{here}/bn{j}", f"{there}.bn{j}")
        out += _prelu(f"{here}/prelu", f"{there}.prelu")
    middle, last = f"block{model.blocks + 2}", f"block{model.blocks + 3}"
    out += conv("conv", f"{middle}.0")
    if model.normalized:
        out += batch_norm("bn", f"{middle}.1")
    else:
        out += _prelu("conv_prelu", f"{middle}.1")
    doublings = (model.scale - 1).bit_length()
    for i in range(doublings):
        out += conv(f"up{i}", f"{last}.{i}.conv") + _prelu(f"up{i}_prelu", f"{last}.{i}.prelu")
    return out + conv("output", f"{last}.{doublings}")
