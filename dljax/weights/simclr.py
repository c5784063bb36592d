"""SimCLR as sthalles/SimCLR's ``ResNetSimCLR``: torchvision's ResNet, its last layer a head of two."""

from typing import Any

from dljax.weights import resnet
from dljax.weights.layers import dense
from dljax.weights.mapping import Entry, renamed


def entries(model: Any) -> list[Entry]:
    """The map for a SimCLR network; ``renamed`` to "backbone." there."""
    trunk = [
        entry._replace(path=entry.path.replace("/", "/trunk/", 1))
        for entry in resnet.entries(model.trunk)
        if not entry.path.startswith("params/output/")
    ]
    head = dense("hidden", "fc.0") + dense("projection", "fc.2")
    return renamed([*trunk, *head], "", "backbone.")
