"""DDPM's U-Net. Ho et al. 2020, Denoising Diffusion Probabilistic Models, arXiv:2006.11239,
appendix B.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float, Int

from dljax.nn import Conv, Dropout, dense
from dljax.nn.pyramid import check_sides

# As in the paper's code: uniform with variance 1 / fan_avg, and zero where a residual branch ends.
_INIT = nn.initializers.variance_scaling(1.0, "fan_avg", "uniform")
_ZERO = nn.initializers.zeros_init()


def time_embedding(time: Int[Array, " b"], features: int) -> Float[Array, "b d"]:
    """(sin, cos) of time / 10000 ** (i / (features / 2 - 1)), as in Vaswani et al. 2017, section 3.5."""
    half = features // 2
    frequency = jnp.exp(-math.log(10_000) / (half - 1) * jnp.arange(half, dtype=jnp.float32))
    angle = time.astype(jnp.float32)[:, None] * frequency[None, :]
    return jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=-1)


class Residual(nn.Module):
    """Two 3x3 convolutions, each after GroupNorm and SiLU; the time's embedding is added between."""

    features: int
    groups: int
    dropout: float

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], time: Float[Array, "b d"], *, train: bool
    ) -> Float[Array, "b h w features"]:
        h = jax.nn.silu(nn.GroupNorm(self.groups, name="norm1")(x))
        h = Conv(self.features, (3, 3), kernel_init=_INIT, name="conv1")(h)
        shift = nn.Dense(self.features, kernel_init=_INIT, name="time")(jax.nn.silu(time))
        h = h + shift[:, None, None, :]
        h = jax.nn.silu(nn.GroupNorm(self.groups, name="norm2")(h))
        h = Dropout(self.dropout, name="dropout")(h, train=train)
        h = Conv(self.features, (3, 3), kernel_init=_ZERO, name="conv2")(h)
        if x.shape[-1] != self.features:
            x = Conv(self.features, (1, 1), kernel_init=_INIT, name="shortcut")(x)
        return x + h


class Attention(nn.Module):
    """Attention of every pixel to every pixel, one head, added to its input."""

    groups: int

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        b, h, w, c = x.shape
        normed = jnp.reshape(nn.GroupNorm(self.groups, name="norm")(x), (b, h * w, c))
        query, key, value = (
            dense(c, kernel_init=_INIT, name=name)(normed) for name in ("query", "key", "value")
        )
        scores = jnp.einsum("bqc,bkc->bqk", query, key) / math.sqrt(c)
        weights = jax.nn.softmax(scores.astype(jnp.float32)).astype(x.dtype)
        mixed = jnp.einsum("bqk,bkc->bqc", weights, value)
        out = dense(c, kernel_init=_ZERO, name="output")(mixed)
        return x + jnp.reshape(out, x.shape)


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
        first, last = self.widths[0], len(self.widths) - 1
        check_sides(image.shape, len(self.widths), "a DDPM")
        t = time_embedding(time, first).astype(image.dtype)
        t = nn.Dense(4 * first, kernel_init=_INIT, name="time1")(t)
        t = nn.Dense(4 * first, kernel_init=_INIT, name="time2")(jax.nn.silu(t))

        def block(x: Array, features: int, name: str, attend: bool) -> Array:
            x = Residual(features, self.groups, self.dropout, name=name)(x, t, train=train)
            return Attention(self.groups, name=f"{name}_attention")(x) if attend else x

        x = Conv(first, (3, 3), kernel_init=_INIT, name="input")(image)
        skips = [x]
        for level, width in enumerate(self.widths):
            for layer in range(self.layers):
                x = block(x, width, f"down{level}_{layer}", level in self.attention)
                skips.append(x)
            if level < last:
                pad = ((0, 1), (0, 1))  # TensorFlow's SAME on even sides
                conv = Conv(width, (3, 3), (2, 2), pad, kernel_init=_INIT, name=f"down{level}")
                x = conv(x)
                skips.append(x)
        x = block(x, self.widths[-1], "middle_0", True)
        x = block(x, self.widths[-1], "middle_1", False)
        for level in reversed(range(len(self.widths))):
            width = self.widths[level]
            for layer in range(self.layers + 1):
                x = jnp.concatenate([x, skips.pop()], axis=-1)
                x = block(x, width, f"up{level}_{layer}", level in self.attention)
            if level:
                x = x.repeat(2, axis=1).repeat(2, axis=2)
                x = Conv(width, (3, 3), kernel_init=_INIT, name=f"up{level}")(x)
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
