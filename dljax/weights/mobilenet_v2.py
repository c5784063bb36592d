"""MobileNetV2 as torchvision's ``mobilenet_v2``."""

from typing import Any

from dljax.weights.layers import batch_norm, conv, dense, depthwise
from dljax.weights.mapping import Entry


def entries(model: Any) -> list[Entry]:
    """The map for a MobileNetV2."""
    out = conv("conv1", "features.0.0", bias=False) + batch_norm("bn1", "features.0.1")
    at = 1
    for i, (t, _, n, _) in enumerate(model.stages, 1):
        for j in range(n):
            here, there, layer = f"block{i}_{j}", f"features.{at}.conv", 0
            if t > 1:
                out += conv(f"{here}/expand", f"{there}.0.0", bias=False)
                out += batch_norm(f"{here}/expand_bn", f"{there}.0.1")
                layer = 1
            out += depthwise(f"{here}/depthwise", f"{there}.{layer}.0")
            out += batch_norm(f"{here}/depthwise_bn", f"{there}.{layer}.1")
            out += conv(f"{here}/project", f"{there}.{layer + 1}", bias=False)
            out += batch_norm(f"{here}/project_bn", f"{there}.{layer + 2}")
            at += 1
    out += conv("conv2", f"features.{at}.0", bias=False)
    out += batch_norm("bn2", f"features.{at}.1")
    return out + dense("output", "classifier.1")
