"""Outputs of torchvision's color changes of tensors, and of its RandAugment's operations on PIL images.

python tests/parity/augmentations.py      (needs torch, torchvision, pillow)
"""

from pathlib import Path

import numpy as np
import torch
from cases import AMOUNTS, MAGNITUDES, RANDAUGMENT, colored
from PIL import Image
from torchvision.transforms import InterpolationMode, functional
from torchvision.transforms.autoaugment import RandAugment, _apply_op

GOLDEN = Path(__file__).parent / "golden"


def main() -> None:
    images, out = colored(), {}
    tensor = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    for name, amounts in AMOUNTS.items():
        change = getattr(functional, f"adjust_{name}")
        for amount in amounts:
            # One by one, for contrast.
            changed = torch.stack([change(image, amount) for image in tensor])
            out[f"{name} {amount}"] = changed.numpy().transpose(0, 2, 3, 1)
    space = RandAugment()._augmentation_space(31, images.shape[1:3])
    assert {name: signed for name, (_, signed) in space.items()} == RANDAUGMENT
    for name, (table, signed) in space.items():
        for magnitude in MAGNITUDES:
            strength = float(table[magnitude]) if table.ndim else 0.0
            for sign in (1, -1) if signed else (1,):
                given = (name, sign * strength, InterpolationMode.NEAREST, None)
                changed = [_apply_op(Image.fromarray(image), *given) for image in images]
                out[f"{name} {sign * magnitude}"] = np.stack([np.asarray(x) for x in changed])
    np.savez_compressed(GOLDEN / "augmentations.npz", **out)


if __name__ == "__main__":
    main()
