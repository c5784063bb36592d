"""CIFAR's ResNets in the layout that PyTorch ports share (``layer1.0.conv1.weight``, ``linear.weight``);
``read`` takes DataParallel's ``module.`` from the names of files that torch saved.
"""

from typing import Any

from dljax.weights.layers import batch_norm, conv, dense
from dljax.weights.mapping import Entry


def entries(model: Any) -> list[Entry]:
    """The map for a CIFAR ResNet, whose shortcuts have no weights."""
    out = [*conv("conv1", "conv1", bias=False), *batch_norm("bn1", "bn1")]
    for stage in (1, 2, 3):
        for block in range(model.blocks):
            here, there = f"layer{stage}_{block}", f"layer{stage}.{block}"
            for i in (1, 2):
                out += conv(f"{here}/conv{i}", f"{there}.conv{i}", bias=False)
                out += batch_norm(f"{here}/bn{i}", f"{there}.bn{i}")
    return out + dense("output", "linear")
