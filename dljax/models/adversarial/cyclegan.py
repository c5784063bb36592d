"""CycleGAN's generator. Zhu et al. 2017, Unpaired Image-to-Image Translation using Cycle-Consistent
Adversarial Networks, arXiv:1703.10593, section 7.2; Johnson et al. 2016, arXiv:1603.08155.

c7s1-64, d128, d256, nine (or six) residual blocks R256, u128, u64, c7s1-3. InstanceNorm has no parameters,
so that convolutions have a bias, as in the authors' PyTorch code.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Conv, ConvTranspose, instance_norm
from dljax.nn.pyramid import check_sides

_NORMAL = nn.initializers.normal(0.02)


def _mirrored(x: Float[Array, "b h w c"], by: int) -> Float[Array, "b i j c"]:
    """The image with ``by`` pixels more on each side, mirrored without the border itself."""
    return jnp.pad(x, ((0, 0), (by, by), (by, by), (0, 0)), mode="reflect")


class Residual(nn.Module):
    """Two 3x3 convolutions on mirrored borders, added to the input."""

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        def conv(x: Array, name: str) -> Array:
            layer = Conv(x.shape[-1], (3, 3), padding="VALID", kernel_init=_NORMAL, name=name)
            return instance_norm(layer(_mirrored(x, 1)))

        return x + conv(jax.nn.relu(conv(x, "conv1")), "conv2")


class ResNetGenerator(nn.Module):
    """Map from images to images of the same size, in -1..1.

    Attributes:
        width: channels of the first layer.
        blocks: residual blocks, between two halvings and two doublings.
        channels: of the result.

    Raises:
        UserError: a side of the images is no multiple of 4.
    """

    width: int = 64
    blocks: int = 9
    channels: int = 3

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b h w d"]:
        del train  # there are no statistics and no dropout
        check_sides(image.shape, 3, "a ResNet generator")
        stem = Conv(self.width, (7, 7), padding="VALID", kernel_init=_NORMAL, name="stem")
        x = jax.nn.relu(instance_norm(stem(_mirrored(image, 3))))
        for i in (1, 2):
            down = Conv(
                self.width << i, (3, 3), (2, 2), padding=1, kernel_init=_NORMAL, name=f"down{i}"
            )
            x = jax.nn.relu(instance_norm(down(x)))
        for i in range(self.blocks):
            x = Residual(name=f"block{i}")(x)
        for i in (1, 0):
            # PyTorch's padding=1, output_padding=1
            up = ConvTranspose(
                self.width << i, (3, 3), 2, ((1, 2), (1, 2)), kernel_init=_NORMAL, name=f"up{i}"
            )
            x = jax.nn.relu(instance_norm(up(x)))
        out = Conv(self.channels, (7, 7), padding="VALID", kernel_init=_NORMAL, name="output")
        return jnp.tanh(out(_mirrored(x, 3)))


MODEL = ResNetGenerator
VARIANTS: dict[str, dict] = {
    "tiny": {"width": 4, "blocks": 1},
    "small": {"width": 16, "blocks": 3},
    "6": {"blocks": 6},  # the paper's for images of 128x128
    "9": {},
}
PUBLISHED = {"6": 7_837_699, "9": 11_378_179}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two color images, of 16x16 pixels for "tiny", else 64x64."""
    side = 16 if variant == "tiny" else 64
    return {"image": ShapeDtypeStruct((2, side, side, 3), jnp.float32)}
