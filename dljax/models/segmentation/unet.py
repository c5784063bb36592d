"""U-Net. Ronneberger et al. 2015, U-Net: Convolutional Networks for Biomedical Image Segmentation,
arXiv:1505.04597, Fig. 1.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Conv, ConvTranspose, Dropout, max_pool
from dljax.nn.pyramid import check_sides

# Section 3: a Gaussian of standard deviation sqrt(2 / N), N the inputs of a neuron.
_HE = nn.initializers.variance_scaling(2.0, "fan_in", "normal")
# A pixel of an up-convolution with kernel = stride has one input pixel: N is c, not 4 c.
_HE_UP = nn.initializers.variance_scaling(2.0, "fan_in", "normal", batch_axis=(0, 1))


class DoubleConv(nn.Module):
    """Twice a 3x3 convolution and ReLU."""

    features: int

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
        for name in ("conv1", "conv2"):
            x = jax.nn.relu(Conv(self.features, (3, 3), kernel_init=_HE, name=name)(x))
        return x


class UNet(nn.Module):
    """Contracting and expanding path, joined by skips, to logits for every pixel.

    Convolutions are padded, where the paper's lose a border and its skips are cropped: the output
    then has the input's size. Dropout stands at the end of the contracting path, as in the paper.

    Raises:
        UserError: a side of the images is no multiple of 2 ** (len(widths) - 1).
    """

    classes: int = 2
    widths: tuple[int, ...] = (64, 128, 256, 512, 1024)
    dropout: float = 0.5

    @nn.compact
    def __call__(
        self, image: Float[Array, "b h w c"], *, train: bool
    ) -> Float[Array, "b h w classes"]:
        check_sides(image.shape, len(self.widths), "a U-Net")
        x, skips = image, []
        for level, width in enumerate(self.widths[:-1]):
            x = DoubleConv(width, name=f"down{level}")(x)
            skips.append(x)
            x = max_pool(x)
        x = DoubleConv(self.widths[-1], name="bottom")(x)
        x = Dropout(self.dropout, name="dropout")(x, train=train)
        for level in reversed(range(len(self.widths) - 1)):
            width = self.widths[level]
            x = ConvTranspose(width, (2, 2), 2, kernel_init=_HE_UP, name=f"upsample{level}")(x)
            x = jnp.concatenate([skips[level], x], axis=-1)
            x = DoubleConv(width, name=f"up{level}")(x)
        return Conv(self.classes, (1, 1), kernel_init=_HE, name="output")(x)


MODEL = UNet
VARIANTS: dict[str, dict] = {
    "tiny": {"widths": (4, 8), "classes": 11, "dropout": 0.0},
    "small": {"widths": (16, 32, 64, 128), "classes": 11, "dropout": 0.0},
    "1to2": {"classes": 2},
    "1to1": {"classes": 1},
    "3to1": {"classes": 1},
}
PUBLISHED = {
    "1to2": 31_030_658,
    "1to1": 31_030_593,
    "3to1": 31_031_745,
}  # with biases, no BatchNorm


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two images of 32x32 pixels."""
    channels = 3 if variant == "3to1" else 1
    return {"image": ShapeDtypeStruct((2, 32, 32, channels), jnp.float32)}
