"""U-Net whose contracting path is VGG16. Ronneberger et al. 2015, arXiv:1505.04597; an encoder trained
on ImageNet: Iglovikov & Shvets 2018, TernausNet, arXiv:1801.05746.

The layout is that of segmentation_models_pytorch 0.6: all five poolings of VGG, two convolutions at the bottom
for this encoder, nearest-neighbor upsampling, BatchNorm in the decoder alone, or also in the encoder. The first
stage's map, which has the image's size, is no skip.
"""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Conv, ConvNorm, batch_norm, doubled, max_pool
from dljax.nn.pyramid import check_sides

_HE = nn.initializers.variance_scaling(2.0, "fan_in", "uniform")
_XAVIER = nn.initializers.xavier_uniform()


class UNetVGG16(nn.Module):
    """VGG's stages, each after a pooling but the first, and a decoder to logits for every pixel.

    Attributes:
        stages: the output channels of each stage's convolutions; there is one more pooling after them.
        norm: BatchNorm in the encoder, too.
        widths: of the decoder, from the coarsest level.

    Raises:
        UserError: a side of the images is no multiple of 2 ** len(stages).
    """

    stages: tuple[tuple[int, ...], ...] = (
        (64, 64),
        (128, 128),
        (256, 256, 256),
        (512, 512, 512),
        (512, 512, 512),
    )
    norm: bool = False
    widths: tuple[int, ...] = (256, 128, 64, 32, 16)
    classes: int = 1

    @nn.compact
    def __call__(
        self, image: Float[Array, "b h w c"], *, train: bool
    ) -> Float[Array, "b h w classes"]:
        check_sides(image.shape, len(self.stages) + 1, "a U-Net on VGG")
        x, skips = image, []
        for s, widths in enumerate(self.stages, 1):
            for c, width in enumerate(widths, 1):
                x = Conv(width, (3, 3), kernel_init=_HE, name=f"conv{s}_{c}")(x)
                if self.norm:
                    x = batch_norm(train=train, name=f"bn{s}_{c}")(x)
                x = jax.nn.relu(x)
            skips.append(x)
            x = max_pool(x)
        normed = partial(ConvNorm, kernel_size=(3, 3), train=train, kernel_init=_HE)
        for name in ("center1", "center2"):
            x = normed(self.stages[-1][-1], name=name)(x)
        for level, width in enumerate(self.widths):
            x = doubled(x)
            above = len(self.stages) - 1 - level
            if above > 0:
                x = jnp.concatenate([x, skips[above]], axis=-1)
            for i in (1, 2):
                x = normed(width, name=f"up{level}_{i}")(x)
        return Conv(self.classes, (3, 3), kernel_init=_XAVIER, name="output")(x)


MODEL = UNetVGG16
VARIANTS: dict[str, dict] = {
    "tiny": {"stages": ((4,), (8,)), "widths": (8, 4), "classes": 2},
    "small": {
        "stages": ((16, 16), (32, 32), (64, 64), (64, 64)),
        "norm": True,
        "widths": (64, 32, 16, 16),
        "classes": 2,
    },
    "16": {},
    "16-bn": {"norm": True},
}
PUBLISHED = {"16": 23_748_241, "16-bn": 23_756_689}  # segmentation_models_pytorch, one class
# Means and variances: 2 (2 x 512 + 2 (256 + 128 + 64 + 32 + 16)), and of the encoder's 4224 channels.
STATE = {"16": 4_032, "16-bn": 12_480}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two color images of 32x32 pixels, 8x8 for "tiny"."""
    side = 8 if variant == "tiny" else 32
    return {"image": ShapeDtypeStruct((2, side, side, 3), jnp.float32)}
