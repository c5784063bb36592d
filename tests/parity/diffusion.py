"""The output of diffusers' UNet2DModel on the recipe's weights.

python tests/parity/diffusion.py      (needs torch, diffusers; torchvision importable)
"""

from pathlib import Path

import numpy as np
import torch
from cases import DDPM, noisy
from diffusers import UNet2DModel
from recipe import weights

GOLDEN = Path(__file__).parent / "golden"


@torch.no_grad()
def main() -> None:
    model = UNet2DModel(
        sample_size=16,
        in_channels=3,
        out_channels=3,
        block_out_channels=DDPM["widths"],
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        layers_per_block=DDPM["layers"],
        downsample_padding=0,
        flip_sin_to_cos=False,
        freq_shift=1,
        norm_eps=1e-6,
        norm_num_groups=DDPM["groups"],
        attention_head_dim=None,
    ).eval()
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    model.load_state_dict({k: torch.from_numpy(v) for k, v in weights(shapes).items()})
    image, time = noisy()
    image = torch.from_numpy(image.transpose(0, 3, 1, 2).copy())
    out = model(image, torch.from_numpy(time)).sample
    np.savez_compressed(GOLDEN / "ddpm.npz", output=out.numpy())


main()
