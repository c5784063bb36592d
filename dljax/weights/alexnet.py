"""AlexNet as torchvision's."""

from typing import Any

from dljax.weights.layers import conv, dense, flattened
from dljax.weights.mapping import Entry


def entries(model: Any) -> list[Entry]:
    """The map for an AlexNet of two hidden layers."""
    out = []
    for i, there in enumerate((0, 3, 6, 8, 10), 1):
        out += conv(f"conv{i}", f"features.{there}")
    out += flattened("hidden1", "classifier.1", model.features[-1])
    return out + dense("hidden2", "classifier.4") + dense("output", "classifier.6")
