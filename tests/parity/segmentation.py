"""Outputs of segmentation_models_pytorch's U-Net on VGG16 with BatchNorm on the recipe's weights.

python tests/parity/segmentation.py     (needs torch, segmentation-models-pytorch)
"""

from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import torch
from cases import UNET_VGG16, image
from recipe import weights

GOLDEN = Path(__file__).parent / "golden"


@torch.no_grad()
def main() -> None:
    net = smp.Unet(
        "vgg16_bn",
        encoder_weights=None,
        decoder_channels=UNET_VGG16["widths"],
        classes=UNET_VGG16["classes"],
    )
    shapes = {k: tuple(v.shape) for k, v in net.state_dict().items() if v.ndim}
    arrays = {k: torch.from_numpy(v) for k, v in weights(shapes, 2**0.5).items()}
    missing, extra = net.load_state_dict(arrays, strict=False)
    assert all(k.endswith("num_batches_tracked") for k in missing) and not extra
    x = torch.from_numpy(image(64).transpose(0, 3, 1, 2).copy())
    np.savez(GOLDEN / "segmentation.npz", unet_vgg16=net.eval()(x).numpy())


if __name__ == "__main__":
    main()
