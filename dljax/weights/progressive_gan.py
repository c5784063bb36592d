"""Progressive GAN as the variables of the authors' TensorFlow networks, "G/..." (fused_scale) and "D/..."
(fused_scale=False).
"""

from typing import Any

import numpy as np

from dljax.weights.mapping import Entry, Join

# Of a convolution joined with the doubling before it: [h, w, out, in] there, turned round.
_TURNED = Join(lambda k: k[::-1, ::-1], lambda k: (k[::-1, ::-1],))


def _layer(here: str, there: str, **how: Any) -> list[Entry]:
    return [
        Entry(f"params/{here}/kernel", f"{there}/weight", **how),
        Entry(f"params/{here}/bias", f"{there}/bias"),
    ]


def _channels_last(outward: bool) -> Join:
    """Of a Dense kernel between a vector and 4 x 4 pixels: its channels lie before its places there."""

    def merge(kernel: np.ndarray) -> np.ndarray:
        if outward:
            maps = kernel.reshape(len(kernel), -1, 4, 4)
            return maps.transpose(0, 2, 3, 1).reshape(kernel.shape)
        return kernel.reshape(-1, 4, 4, kernel.shape[1]).transpose(1, 2, 0, 3).reshape(kernel.shape)

    def split(kernel: np.ndarray) -> tuple[np.ndarray]:
        if outward:
            maps = kernel.reshape(len(kernel), 4, 4, -1)
            return (maps.transpose(0, 3, 1, 2).reshape(kernel.shape),)
        maps = kernel.reshape(4, 4, -1, kernel.shape[1])
        return (maps.transpose(2, 0, 1, 3).reshape(kernel.shape),)

    return Join(merge, split)


def entries(model: Any) -> list[Entry]:
    """The map for a ProgressiveGAN without its ``part``, which is 1 - lod there."""
    g, d = "generator", "discriminator"
    out = [
        Entry(f"params/{g}/dense/kernel", "G/4x4/Dense/weight", join=_channels_last(True)),
        Entry(f"params/{g}/bias", "G/4x4/Dense/bias"),
        *_layer(f"{g}/conv4", "G/4x4/Conv"),
        *_layer(f"{d}/conv4", "D/4x4/Conv"),
        *_layer(f"{d}/dense", "D/4x4/Dense0", join=_channels_last(False)),
        *_layer(f"{d}/output", "D/4x4/Dense1"),
    ]
    for above, side in enumerate(reversed(model.sizes)):
        out += _layer(f"{g}/to_image{side}", f"G/ToRGB_lod{above}")
        out += _layer(f"{d}/from_image{side}", f"D/FromRGB_lod{above}")
        if side > 4:
            there = f"{side}x{side}"
            up = f"{g}/conv{side}_0", f"G/{there}/Conv0_up"
            out += _layer(*up, axes=(0, 1, 3, 2), join=_TURNED)
            out += _layer(f"{g}/conv{side}_1", f"G/{there}/Conv1")
            out += _layer(f"{d}/conv{side}_0", f"D/{there}/Conv0")
            out += _layer(f"{d}/conv{side}_1", f"D/{there}/Conv1")
    return out
