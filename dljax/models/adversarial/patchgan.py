"""PatchGAN. Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial Networks,
arXiv:1611.07004, section 3.2.2: a discriminator that judges every patch of 70x70 pixels.

Layers as in the authors' PyTorch code; pix2pix has BatchNorm and sees pairs (six channels), CycleGAN has
InstanceNorm without parameters. Convolutions in front of a BatchNorm have no bias.
"""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Conv, batch_norm, instance_norm, near_one

_NORMAL = nn.initializers.normal(0.02)  # section 6.2


class PatchGAN(nn.Module):
    """Map from images to logits, one for every patch, that they are real.

    Attributes:
        width: channels of the first layer; doubled with each up to eight times.
        layers: of stride 2; two more of stride 1 follow. Three see 70x70 pixels, two 34x34, one 16x16.
        norm: "batch" or "instance".
    """

    width: int = 64
    layers: int = 3
    norm: Literal["batch", "instance"] = "instance"

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b i j"]:
        x = image
        for layer in range(self.layers + 1):
            normed = layer > 0
            stride = 2 if layer < self.layers else 1
            x = Conv(
                self.width * min(2**layer, 8),
                (4, 4),
                (stride, stride),
                padding=1,
                use_bias=not normed or self.norm == "instance",
                kernel_init=_NORMAL,
                name=f"conv{layer}",
            )(x)
            if normed and self.norm == "batch":
                x = batch_norm(train=train, scale_init=near_one, name=f"norm{layer}")(x)
            elif normed:
                x = instance_norm(x)
            x = jax.nn.leaky_relu(x, 0.2)
        return Conv(1, (4, 4), padding=1, kernel_init=_NORMAL, name="output")(x)[..., 0]


MODEL = PatchGAN
VARIANTS: dict[str, dict] = {
    "tiny": {"width": 4, "layers": 1},
    "16": {"layers": 1},
    "70": {},
    "70-batch": {"norm": "batch"},
}
PUBLISHED = {"70": 2_764_737, "70-batch": 2_768_705}  # of three channels, and of six
STATE = {"70": 0, "70-batch": 1_792}  # means and variances of 128, 256 and 512 channels


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two images: of six channels for "70-batch", else three; 16x16 for "tiny", else 64x64."""
    side, channels = 16 if variant == "tiny" else 64, 6 if variant == "70-batch" else 3
    return {"image": ShapeDtypeStruct((2, side, side, channels), jnp.float32)}
