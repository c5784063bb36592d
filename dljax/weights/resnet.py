"""ResNets as torchvision's ``resnet18`` to ``resnet152``."""

from typing import Any

from dljax.weights.layers import batch_norm, conv, dense
from dljax.weights.mapping import Entry


def entries(model: Any) -> list[Entry]:
    """The map for a ResNet."""
    bottleneck = model.block.expansion > 1
    out = [*conv("conv1", "conv1", bias=False), *batch_norm("bn1", "bn1")]
    for stage, blocks in enumerate(model.stages, 1):
        for block in range(blocks):
            here, there = f"layer{stage}_{block}", f"layer{stage}.{block}"
            for i in range(1, 4 if bottleneck else 3):
                out += conv(f"{here}/conv{i}", f"{there}.conv{i}", bias=False)
                out += batch_norm(f"{here}/bn{i}", f"{there}.bn{i}")
            # Where the map is halved or the channels grow.
            if block == 0 and (stage > 1 or bottleneck):
                out += conv(f"{here}/shortcut_conv", f"{there}.downsample.0", bias=False)
                out += batch_norm(f"{here}/shortcut_bn", f"{there}.downsample.1")
    return out + dense("output", "fc")
