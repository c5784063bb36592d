"""CycleGAN's generator as the authors' ``ResnetGenerator``, without dropout."""

from typing import Any

from dljax.weights.layers import conv, conv_transpose
from dljax.weights.mapping import Entry


def entries(model: Any) -> list[Entry]:
    """The map for a generator; paddings, norms and activations have numbers there too."""
    out = conv("stem", "model.1") + conv("down1", "model.4") + conv("down2", "model.7")
    for i in range(model.blocks):
        block = f"model.{10 + i}.conv_block"
        out += conv(f"block{i}/conv1", f"{block}.1") + conv(f"block{i}/conv2", f"{block}.5")
    at = 10 + model.blocks
    out += conv_transpose("up1", f"model.{at}") + conv_transpose("up0", f"model.{at + 3}")
    return out + conv("output", f"model.{at + 7}")
