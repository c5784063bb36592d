"""VGG as torchvision's ``vgg11`` to ``vgg19_bn``."""

from typing import Any

from dljax.weights.layers import batch_norm, conv, dense, flattened
from dljax.weights.mapping import Entry


def features(model: Any, there: str = "features") -> list[Entry]:
    """The convolutions; ReLU and pooling have numbers there too."""
    out, at = [], 0
    for s, widths in enumerate(model.stages, 1):
        for c in range(1, len(widths) + 1):
            out += conv(f"conv{s}_{c}", f"{there}.{at}")
            if model.norm:
                out += batch_norm(f"bn{s}_{c}", f"{there}.{at + 1}")
            at += 3 if model.norm else 2
        at += 1
    return out


def entries(model: Any) -> list[Entry]:
    """The map for a VGG; dropout has a number there too."""
    out = features(model)
    names = [*(f"hidden{i + 1}" for i in range(len(model.hidden))), "output"]
    out += flattened(names[0], "classifier.0", model.stages[-1][-1])
    for i, name in enumerate(names[1:], 1):
        out += dense(name, f"classifier.{3 * i}")
    return out
