"""Output of a LeNet-5 on the recipe's weights, with the names of the port whose weights are in use.

python tests/parity/lenet.py      (needs torch)
"""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from cases import image
from recipe import weights
from torch import nn

GOLDEN = Path(__file__).parent / "golden"


def net() -> tuple[nn.Module, nn.Module]:
    """The convolutions, C5 among them, and the layers after."""
    layers = {
        "c1": nn.Conv2d(1, 6, 5),
        "relu1": nn.ReLU(),
        "s2": nn.MaxPool2d(2),
        "c3": nn.Conv2d(6, 16, 5),
        "relu3": nn.ReLU(),
        "s4": nn.MaxPool2d(2),
        "c5": nn.Conv2d(16, 120, 5),
        "relu5": nn.ReLU(),
    }
    after = {"f6": nn.Linear(120, 84), "relu6": nn.ReLU(), "f7": nn.Linear(84, 10)}
    return nn.Sequential(OrderedDict(layers)), nn.Sequential(OrderedDict(after))


@torch.no_grad()
def main() -> None:
    both = nn.ModuleDict(dict(zip(("convnet", "fc"), net(), strict=True)))
    shapes = {k: tuple(v.shape) for k, v in both.state_dict().items()}
    arrays = weights(shapes, gain=2**0.5)
    both.load_state_dict({k: torch.from_numpy(v) for k, v in arrays.items()})
    x = torch.from_numpy(image(32)[..., :1].transpose(0, 3, 1, 2).copy())
    out = both["fc"](both["convnet"](x).flatten(1))
    np.savez(GOLDEN / "lenet.npz", output=out.numpy())


if __name__ == "__main__":
    main()
