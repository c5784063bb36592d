"""Layers of a tiny ResNet in torch, recorded as the help of ``dljax weights diff`` says.

python tests/parity/layers.py      (needs torch, torchvision)
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from convention_cases import draw
from recipe import weights
from resnets import Block
from torch import nn

FILE = Path(__file__).parent / "golden" / "layers.npz"


class Tiny(nn.Module):
    """ResNetCifar's "tiny" on gray images of ten classes."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.layer1 = nn.Sequential(Block(4, 4, 1))
        self.layer2 = nn.Sequential(Block(4, 8, 2))
        self.layer3 = nn.Sequential(Block(8, 16, 2))
        self.linear = nn.Linear(16, 10)

    def forward(self, x):
        x = self.layer1(F.relu(self.bn1(self.conv1(x))))
        return self.linear(self.layer3(self.layer2(x)).mean((2, 3)))


def main() -> None:
    net = Tiny()
    shapes = {k: tuple(v.shape) for k, v in net.state_dict().items() if v.ndim}
    arrays = {k: torch.from_numpy(v) for k, v in weights(shapes).items()}
    net.load_state_dict(arrays, strict=False)
    x = torch.from_numpy(draw("diff.x", 2, 1, 6, 6))
    # fmt: off
    seen = {"input": x.numpy()}  # x is what the network is given
    for n, layer in net.eval().named_modules():
        layer.register_forward_hook(lambda _, given, out, n=n: n in seen or seen.update({n: out.numpy().copy(), n + ":given": given[0].numpy().copy()}))
    with torch.no_grad(): net(x)  # noqa: E701
    # fmt: on
    np.savez_compressed(FILE, **seen)


if __name__ == "__main__":
    main()
