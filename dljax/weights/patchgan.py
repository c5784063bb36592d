"""PatchGAN as the authors' ``NLayerDiscriminator``."""

from typing import Any

from dljax.weights.layers import batch_norm, conv
from dljax.weights.mapping import Entry


def entries(model: Any) -> list[Entry]:
    """The map for a PatchGAN; norms without parameters and activations have numbers there too."""
    out = conv("conv0", "model.0")
    for layer in range(1, model.layers + 1):
        at = 3 * layer - 1
        out += conv(f"conv{layer}", f"model.{at}", bias=model.norm == "instance")
        if model.norm == "batch":
            out += batch_norm(f"norm{layer}", f"model.{at + 1}")
    return out + conv("output", f"model.{3 * model.layers + 2}")
