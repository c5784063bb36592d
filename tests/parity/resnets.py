"""Outputs of torchvision's ResNets, and of a CIFAR ResNet-20 written in torch, on the recipe's weights.

python tests/parity/resnets.py      (needs torch, torchvision)
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from cases import RESNETS, image
from recipe import weights
from torch import nn

GOLDEN = Path(__file__).parent / "golden"


class Block(nn.Module):
    def __init__(self, c: int, d: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(c, d, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(d)
        self.conv2 = nn.Conv2d(d, d, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(d)
        self.stride, self.new = stride, d - c

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        side = self.new // 2
        s = self.stride
        return F.relu(y + F.pad(x[:, :, ::s, ::s], (0, 0, 0, 0, side, side)))


class Cifar(nn.Module):
    def __init__(self, n: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        widths = (16, 16, 32, 64)
        for i in range(3):
            first = Block(widths[i], widths[i + 1], 2 if i else 1)
            rest = [Block(widths[i + 1], widths[i + 1], 1) for _ in range(n - 1)]
            setattr(self, f"layer{i + 1}", nn.Sequential(first, *rest))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


@torch.no_grad()
def main() -> None:
    out = {}
    for name, side in RESNETS.items():
        if name == "cifar20":
            net = Cifar(3)
        else:
            net = getattr(torchvision.models, f"resnet{name}")(num_classes=10)
        shapes = {k: tuple(v.shape) for k, v in net.state_dict().items() if v.ndim}
        arrays = {k: torch.from_numpy(v) for k, v in weights(shapes).items()}
        missing, extra = net.load_state_dict(arrays, strict=False)
        assert all(k.endswith("num_batches_tracked") for k in missing) and not extra
        x = torch.from_numpy(image(side).transpose(0, 3, 1, 2).copy())
        out[name] = net.eval()(x).numpy()
    np.savez(GOLDEN / "resnets.npz", **out)


if __name__ == "__main__":
    main()
