"""pix2pix's generator. Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial Networks,
arXiv:1611.07004, section 6.1.1: a U-Net down to one pixel.

Layers as in the authors' PyTorch code: a 4x4 convolution of stride 2 for each level, no norm at the outermost and
the innermost, dropout in the three levels above the innermost. Noise is dropout alone (section 3.1).
"""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Conv, ConvTranspose, Dropout, batch_norm, instance_norm, near_one
from dljax.nn.pyramid import check_sides

_NORMAL = nn.initializers.normal(0.02)


class UNetGenerator(nn.Module):
    """Map from images to images of the same size, in -1..1, through ``levels`` halvings and back.

    Attributes:
        width: channels of the outermost level; doubled with each up to eight times.
        norm: "batch", or "instance" without parameters.
        dropout: rate, of (up to) three levels.
        channels: of the result.

    Raises:
        UserError: a side of the images is no multiple of 2 ** levels.
    """

    levels: int = 8
    width: int = 64
    norm: Literal["batch", "instance"] = "batch"
    dropout: float = 0.5
    channels: int = 3

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b h w d"]:
        check_sides(image.shape, self.levels + 1, "this U-Net")
        widths = [self.width * min(2**level, 8) for level in range(self.levels)]
        bias = self.norm == "instance"

        def normed(x: Array, name: str) -> Array:
            if self.norm == "batch":
                return batch_norm(train=train, scale_init=near_one, name=name)(x)
            return instance_norm(x)

        last = self.levels - 1
        x, skips = image, []
        for level, width in enumerate(widths):
            x = Conv(
                width,
                (4, 4),
                (2, 2),
                padding=1,
                use_bias=bias,
                kernel_init=_NORMAL,
                name=f"down{level}",
            )(jax.nn.leaky_relu(x, 0.2) if level else x)
            if 0 < level < last:
                x = normed(x, f"down_norm{level}")
            skips.append(x)
        for level in range(last, 0, -1):
            x = jax.nn.relu(x if level == last else jnp.concatenate([skips[level], x], axis=-1))
            x = ConvTranspose(
                widths[level - 1],
                (4, 4),
                2,
                use_bias=bias,
                kernel_init=_NORMAL,
                name=f"up{level}",
            )(x)
            x = normed(x, f"up_norm{level}")
            if last - 3 <= level < last and widths[level] == widths[level - 1]:
                x = Dropout(self.dropout, name=f"dropout{level}")(x, train=train)
        x = jax.nn.relu(jnp.concatenate([skips[0], x], axis=-1))
        return jnp.tanh(ConvTranspose(self.channels, (4, 4), 2, kernel_init=_NORMAL, name="up0")(x))


MODEL = UNetGenerator
VARIANTS: dict[str, dict] = {
    "tiny": {"levels": 2, "width": 4},
    "small": {"levels": 4, "width": 16},
    "128": {"levels": 7},
    "256": {},
    "256-instance": {"norm": "instance"},
}
PUBLISHED = {"128": 41_828_995, "256": 54_413_955, "256-instance": 54_409_603}
# Means and variances: of 128, 256 and three times 512 channels on the way down (one less for "128"), and of
# four times 512 and 256, 128 and 64 on the way up.
STATE = {"256": 2 * (128 + 256 + 4 * 512 + 4 * 512 + 256 + 128 + 64)}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two color images of the least size."""
    side = 2 ** VARIANTS[variant].get("levels", 8)
    return {"image": ShapeDtypeStruct((2, side, side, 3), jnp.float32)}
