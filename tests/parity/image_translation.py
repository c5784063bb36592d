"""Outputs of the generators and discriminators of CycleGAN and pix2pix on the recipe's weights.

PYTHONPATH=FOLDER python tests/parity/image_translation.py     (needs torch, and in FOLDER models/networks.py of
                                                                junyanz/pytorch-CycleGAN-and-pix2pix)
"""

from functools import partial
from pathlib import Path

import networks
import numpy as np
import torch
from cases import TRANSLATION, image
from recipe import weights
from torch import nn

GOLDEN = Path(__file__).parent / "golden"
INSTANCE = partial(nn.InstanceNorm2d, affine=False, track_running_stats=False)


def make(name: str) -> nn.Module:
    if name == "cyclegan":
        return networks.ResnetGenerator(3, 3, ngf=8, norm_layer=INSTANCE, n_blocks=2)
    if name == "pix2pix":
        return networks.UnetGenerator(3, 3, 6, ngf=4, norm_layer=nn.BatchNorm2d, use_dropout=True)
    if name == "pix2pix_instance":
        return networks.UnetGenerator(3, 3, 5, ngf=4, norm_layer=INSTANCE)
    norm = INSTANCE if name == "patchgan" else nn.BatchNorm2d
    return networks.NLayerDiscriminator(3, ndf=8, n_layers=3, norm_layer=norm)


@torch.no_grad()
def main() -> None:
    out = {}
    for name, side in TRANSLATION.items():
        net = make(name)
        shapes = {k: tuple(v.shape) for k, v in net.state_dict().items() if v.ndim}
        arrays = {k: torch.from_numpy(v) for k, v in weights(shapes).items()}
        missing, extra = net.load_state_dict(arrays, strict=False)
        assert all(k.endswith("num_batches_tracked") for k in missing) and not extra
        x = torch.from_numpy(image(side).transpose(0, 3, 1, 2).copy())
        y = net.eval()(x).numpy()
        out[name] = y[:, 0] if name.startswith("patchgan") else y
    np.savez(GOLDEN / "image_translation.npz", **out)


if __name__ == "__main__":
    main()
