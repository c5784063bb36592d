"""Outputs of torchvision's ResNets with SimCLR's head on the recipe's weights.

python tests/parity/representation.py      (needs torch, torchvision)
"""

from pathlib import Path

import numpy as np
import torch
from cases import SIMCLR, image
from recipe import weights
from torch import nn
from torchvision.models import resnet

GOLDEN = Path(__file__).parent / "golden"


class SimCLR(nn.Module):
    """As sthalles/SimCLR's ResNetSimCLR, after its last layer is replaced."""

    def __init__(self, block, stages, features):
        super().__init__()
        self.backbone = net = resnet.ResNet(block, (*stages, 1, 1)[:4])
        for unused in range(len(stages), 4):
            setattr(net, f"layer{unused + 1}", nn.Identity())
        d = 64 * block.expansion * 2 ** (len(stages) - 1)
        net.fc = nn.Sequential(nn.Linear(d, d), nn.ReLU(), nn.Linear(d, features))

    def forward(self, x):
        return self.backbone(x)


@torch.no_grad()
def outputs(net: nn.Module, x: np.ndarray) -> np.ndarray:
    shapes = {k: tuple(v.shape) for k, v in net.state_dict().items() if v.ndim}
    arrays = {k: torch.from_numpy(v) for k, v in weights(shapes).items()}
    missing, extra = net.load_state_dict(arrays, strict=False)
    assert all(k.endswith("num_batches_tracked") for k in missing) and not extra
    return net.eval()(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).numpy()


def main() -> None:
    blocks = {"block": resnet.BasicBlock, "bottleneck": resnet.Bottleneck}
    x, sizes = image(SIMCLR["side"]), (SIMCLR["stages"], SIMCLR["features"])
    out = {f"simclr_{name}": outputs(SimCLR(block, *sizes), x) for name, block in blocks.items()}
    np.savez(GOLDEN / "representation.npz", **out)


if __name__ == "__main__":
    main()
