"""Outputs of ESPCN, FSRCNN and SRResNet on the recipe's weights, in layers of torch with the names of the
ports whose weights are in use (pytorch/examples, yjn870, leftthomas).

python tests/parity/super_resolution.py      (needs torch)
"""

from pathlib import Path

import numpy as np
import torch
from cases import image
from recipe import weights
from torch import nn

GOLDEN = Path(__file__).parent / "golden"


class ESPCN(nn.Module):
    def __init__(self, scale: int):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 64, 5, padding=2)
        self.conv2 = nn.Conv2d(64, 64, 3, padding=1)
        self.conv3 = nn.Conv2d(64, 32, 3, padding=1)
        self.conv4 = nn.Conv2d(32, scale**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(scale)

    def forward(self, x):
        for layer in (self.conv1, self.conv2, self.conv3):
            x = torch.relu(layer(x))
        return self.shuffle(self.conv4(x))


class FSRCNN(nn.Module):
    def __init__(self, scale: int):
        super().__init__()
        sizes = [(56, 12, 1), *[(12, 12, 3)] * 4, (12, 56, 1)]
        middle = [(nn.Conv2d(c, d, k, padding=k // 2), nn.PReLU(d)) for c, d, k in sizes]
        self.first_part = nn.Sequential(nn.Conv2d(1, 56, 5, padding=2), nn.PReLU(56))
        self.mid_part = nn.Sequential(*[layer for pair in middle for layer in pair])
        self.last_part = nn.ConvTranspose2d(56, 1, 9, scale, padding=4, output_padding=scale - 1)

    def forward(self, x):
        return self.last_part(self.mid_part(self.first_part(x)))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64)
        self.prelu = nn.PReLU()
        self.conv2, self.bn2 = nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64)

    def forward(self, x):
        return x + self.bn2(self.conv2(self.prelu(self.bn1(self.conv1(x)))))


class Up(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.shuffle = nn.Conv2d(64, 256, 3, padding=1), nn.PixelShuffle(2)
        self.prelu = nn.PReLU()

    def forward(self, x):
        return self.prelu(self.shuffle(self.conv(x)))


class SRResNet(nn.Module):
    def __init__(self, blocks: int, doublings: int, normalized: bool):
        super().__init__()
        self.block1 = nn.Sequential(nn.Conv2d(3, 64, 9, padding=4), nn.PReLU())
        self.blocks = blocks
        for i in range(blocks):
            setattr(self, f"block{i + 2}", Residual())
        last = nn.BatchNorm2d(64) if normalized else nn.PReLU()
        setattr(self, f"block{blocks + 2}", nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), last))
        up = [*[Up() for _ in range(doublings)], nn.Conv2d(64, 3, 9, padding=4)]
        setattr(self, f"block{blocks + 3}", nn.Sequential(*up))

    def forward(self, x):
        x = start = self.block1(x)
        for i in range(2, self.blocks + 3):
            x = getattr(self, f"block{i}")(x)
        return (torch.tanh(getattr(self, f"block{self.blocks + 3}")(start + x)) + 1) / 2


@torch.no_grad()
def main() -> None:
    nets = {
        "espcn": ESPCN(3),
        **{f"fsrcnn_x{scale}": FSRCNN(scale) for scale in (2, 3)},
        "srresnet": SRResNet(2, 2, True),
        "srresnet_prelu": SRResNet(2, 1, False),
    }
    out = {}
    for name, net in nets.items():
        shapes = {k: tuple(v.shape) for k, v in net.state_dict().items() if v.ndim}
        arrays = {k: torch.from_numpy(v) for k, v in weights(shapes).items()}
        net.load_state_dict(arrays, strict=False)
        x = image(12) if name.startswith("srresnet") else image(12)[..., :1]
        out[name] = net.eval()(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).numpy()
    np.savez(GOLDEN / "super_resolution.npz", **out)


if __name__ == "__main__":
    main()
