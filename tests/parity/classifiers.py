"""Outputs of torchvision's AlexNet, VGG and MobileNetV2 and timm's ViT on the recipe's weights.

python tests/parity/classifiers.py      (needs torch, torchvision, timm)
"""

from pathlib import Path

import numpy as np
import torch
import torchvision
from cases import CLASSIFIERS, VIT, image
from recipe import weights
from timm.models.vision_transformer import VisionTransformer
from torch import nn

GOLDEN = Path(__file__).parent / "golden"


def small_head(net: nn.Module, inputs: int) -> nn.Module:
    """The net with 16 for 4096 in its hidden layers, which follow the last map as it is."""
    net.avgpool = nn.Identity()
    sizes = iter([(inputs, 16), (16, 16), (16, 10)])
    for i, layer in enumerate(net.classifier):
        if isinstance(layer, nn.Linear):
            net.classifier[i] = nn.Linear(*next(sizes))
    return net


def make(name: str, side: int) -> nn.Module:
    if name == "vit":
        return VisionTransformer(
            img_size=side,
            patch_size=VIT["patch"],
            embed_dim=VIT["features"],
            depth=VIT["layers"],
            num_heads=VIT["heads"],
            num_classes=10,
        )
    if name == "mobilenet_v2":
        return torchvision.models.mobilenet_v2(num_classes=10)
    # The last map is 2 x 2 at these sides.
    channels = {"alexnet": 256, "vgg11_bn": 512}[name]
    return small_head(getattr(torchvision.models, name)(), 4 * channels)


@torch.no_grad()
def main() -> None:
    out = {}
    for name, side in CLASSIFIERS.items():
        net = make(name, side)
        shapes = {k: tuple(v.shape) for k, v in net.state_dict().items() if v.ndim}
        arrays = {k: torch.from_numpy(v) for k, v in weights(shapes).items()}
        missing, extra = net.load_state_dict(arrays, strict=False)
        assert all(k.endswith("num_batches_tracked") for k in missing) and not extra
        x = torch.from_numpy(image(side).transpose(0, 3, 1, 2).copy())
        out[name] = net.eval()(x).numpy()
    np.savez(GOLDEN / "classifiers.npz", **out)


if __name__ == "__main__":
    main()
