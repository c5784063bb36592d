"""DDPM's U-Net. Ho et al. 2020, Denoising Diffusion Probabilistic Models, arXiv:2006.11239,
appendix B.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float, Int

from dljax.nn import Conv
from dljax.nn.normed_residual import NormedResidual, PlaceAttention
from dljax.nn.pyramid import check_sides, down_and_up
from dljax.nn.time import two_layers

# As in the paper's code: uniform with variance 1 / fan_avg, and zero where a residual branch ends.
_INIT = nn.initializers.variance_scaling(1.0, "fan_avg", "uniform")
_ZERO = nn.initializers.zeros_init()


def time_embedding(time: Int[Array, " b"], features: int) -> Float[Array, "b d"]:
    """(sin, cos) of time / 10000 ** (i / (features / 2 - 1)), as in Vaswani et al. 2017, section 3.5."""
    half = features // 2
    frequency = jnp.exp(-math.log(10_000) / (half - 1) * jnp.arange(half, dtype=jnp.float32))
    angle = time.astype(jnp.float32)[:, None] * frequency[None, :]
    return jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=-1)


class DDPM(nn.Module):
    """U-Net for the noise in an image at a time: eps(x_t, t).

    Attributes:
        widths: channels per level; each level halves the sides.
        layers: residual blocks per level (one more on the way up).
        attention: the levels with attention, beside the middle.
        channels: of the image.
        groups: of GroupNorm.

    Raises:
        UserError: a side of the images is no multiple of 2 ** (len(widths) - 1).
    """

    widths: tuple[int, ...] = (128, 256, 256, 256)
    layers: int = 2
    attention: tuple[int, ...] = (1,)
    channels: int = 3
    groups: int = 32
    dropout: float = 0.1

    @nn.compact
    def __call__(
        self, image: Float[Array, "b h w c"], time: Int[Array, " b"], *, train: bool
    ) -> Float[Array, "b h w c"]:
        first = self.widths[0]
        check_sides(image.shape, len(self.widths), "a DDPM")
        t = two_layers(time_embedding(time, first).astype(image.dtype), 4 * first, _INIT)

        def block(x: Array, width: int, name: str, attends: bool) -> Array:
            residual = NormedResidual(width, self.groups, _INIT, _ZERO, self.dropout, name=name)
            x = residual(x, t, train=train)
            if attends:
                x = PlaceAttention(self.groups, _INIT, _ZERO, name=f"{name}_attention")(x)
            return x

        x = Conv(first, (3, 3), kernel_init=_INIT, name="input")(image)
        pad = (0, 1)  # TensorFlow's SAME on even sides
        x = down_and_up(x, self.widths, self.layers, self.attention, block, pad, _INIT)
        x = jax.nn.silu(nn.GroupNorm(self.groups, name="norm")(x))
        return Conv(self.channels, (3, 3), kernel_init=_ZERO, name="output")(x)


MODEL = DDPM
VARIANTS: dict[str, dict] = {
    "tiny": {"widths": (4, 8), "layers": 1, "channels": 1, "groups": 2},
    "small": {"widths": (32, 64, 64), "layers": 1, "channels": 1, "groups": 8, "dropout": 0.0},
    "cifar10": {},
}
PUBLISHED = {"cifar10": 35_746_307}  # diffusers' UNet2DModel with google/ddpm-cifar10-32's settings


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two images and their times."""
    channels = VARIANTS[variant].get("channels", 3)
    side = 32 if channels == 3 else 16
    return {
        "image": ShapeDtypeStruct((2, side, side, channels), jnp.float32),
        "time": ShapeDtypeStruct((2,), jnp.int32),
    }
