"""ESPCN. Shi et al. 2016, Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
Convolutional Neural Network, arXiv:1609.05158, section 3.

The layout 64-64-32 with ReLU is that of pytorch/examples; the paper has 64-32 and tanh.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Conv, pixel_shuffle

_HE = nn.initializers.variance_scaling(2.0, "fan_in", "normal")


class ESPCN(nn.Module):
    """Convolutions of the small image, the last of which gives scale^2 channels: the large one's pixels.

    Attributes:
        scale: sides of the output by those of the input.
        widths: channels of the hidden layers; the first has a 5x5 kernel, the others 3x3.
    """

    scale: int = 3
    widths: tuple[int, ...] = (64, 64, 32)

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b i j c"]:
        del train
        x = image
        for i, width in enumerate(self.widths, 1):
            side = 5 if i == 1 else 3
            x = jax.nn.relu(Conv(width, (side, side), kernel_init=_HE, name=f"conv{i}")(x))
        x = Conv(image.shape[-1] * self.scale**2, (3, 3), name="output")(x)
        return pixel_shuffle(x, self.scale)


MODEL = ESPCN
VARIANTS: dict[str, dict] = {
    "tiny": {"scale": 2, "widths": (8, 4)},
    "x2": {"scale": 2},
    "x3": {"scale": 3},
    "x4": {"scale": 4},
}
PUBLISHED = {"x2": 58_212, "x3": 59_657, "x4": 61_680}  # of luma, with biases


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two gray images of 8x8 pixels."""
    return {"image": ShapeDtypeStruct((2, 8, 8, 1), jnp.float32)}
