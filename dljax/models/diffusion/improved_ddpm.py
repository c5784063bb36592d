"""Improved DDPM's U-Net. Nichol & Dhariwal 2021, Improved Denoising Diffusion Probabilistic Models,
arXiv:2102.09672, appendix A; as in openai/improved-diffusion.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float, Int

from dljax.nn import Conv, Dropout, dense
from dljax.nn.attention import attend
from dljax.nn.pyramid import check_sides, down_and_up
from dljax.nn.time import cosines_first, two_layers

# PyTorch's own: uniform with variance 1 / (3 fan_in); zero where a residual branch ends.
_INIT = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
_ZERO = nn.initializers.zeros_init()


def _norm(groups: int, name: str) -> nn.GroupNorm:
    return nn.GroupNorm(groups, epsilon=1e-5, name=name)


class Residual(nn.Module):
    """Two 3x3 convolutions after GroupNorm and SiLU; the condition scales and shifts the second norm."""

    features: int
    groups: int
    dropout: float

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], condition: Float[Array, "b d"], *, train: bool
    ) -> Float[Array, "b h w features"]:
        h = jax.nn.silu(_norm(self.groups, "norm1")(x))
        h = Conv(self.features, (3, 3), kernel_init=_INIT, name="conv1")(h)
        both = nn.Dense(2 * self.features, kernel_init=_INIT, name="condition")(
            jax.nn.silu(condition)
        )
        scale, shift = jnp.split(both[:, None, None, :], 2, axis=-1)
        h = jax.nn.silu(_norm(self.groups, "norm2")(h) * (1 + scale) + shift)
        h = Dropout(self.dropout, name="dropout")(h, train=train)
        h = Conv(self.features, (3, 3), kernel_init=_ZERO, name="conv2")(h)
        if x.shape[-1] != self.features:
            x = Conv(self.features, (1, 1), kernel_init=_INIT, name="shortcut")(x)
        return x + h


class Attention(nn.Module):
    """Attention of every pixel to every pixel, added to its input."""

    heads: int
    groups: int

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        b, h, w, c = x.shape
        normed = jnp.reshape(_norm(self.groups, "norm")(x), (b, h * w, c))
        # Of each head its query, key and value, then the next head's.
        mixed = dense(3 * c, kernel_init=_INIT, name="qkv")(normed)
        query, key, value = jnp.split(jnp.reshape(mixed, (b, h * w, self.heads, -1)), 3, axis=-1)
        out = jnp.reshape(attend(query, key, value), (b, h * w, c))
        return x + jnp.reshape(dense(c, kernel_init=_ZERO, name="output")(out), x.shape)


class ImprovedDDPM(nn.Module):
    """U-Net for the noise in an image at a time, of a class where it has classes, and its variance.

    Attributes:
        width: channels of the first level.
        multiples: of ``width``, for each level; each level halves the sides.
        layers: residual blocks per level (one more on the way up).
        attention: the levels with attention, beside the middle.
        classes: number of labels; 0 takes none.
        channels: of the image.
        outputs: of each channel: 2 are the noise, then the variance's share in -1..1 (equation 15);
            1 is the noise alone.
        groups: of GroupNorm.

    Raises:
        UserError: a side of the images is no multiple of 2 ** (len(multiples) - 1).
    """

    width: int = 128
    multiples: tuple[int, ...] = (1, 2, 2, 2)
    layers: int = 3
    attention: tuple[int, ...] = (1, 2)
    heads: int = 4
    classes: int = 0
    channels: int = 3
    outputs: int = 2
    groups: int = 32
    dropout: float = 0.0

    @nn.compact
    def __call__(
        self,
        image: Float[Array, "b h w c"],
        time: Int[Array, " b"],
        label: Int[Array, " b"] | None = None,
        *,
        train: bool,
    ) -> Float[Array, "b h w out"]:
        """The outputs; a label that is no class, such as -1, adds nothing to the time's embedding."""
        widths = [self.width * multiple for multiple in self.multiples]
        check_sides(image.shape, len(widths), "an improved DDPM")
        embedding = cosines_first(time, self.width).astype(image.dtype)
        condition = two_layers(embedding, 4 * self.width, _INIT)
        if self.classes:
            one_hot = jax.nn.one_hot(label, self.classes, dtype=image.dtype)
            rows = nn.Dense(
                4 * self.width,
                use_bias=False,
                kernel_init=nn.initializers.normal(1.0),  # PyTorch's Embedding
                name="label",
            )
            condition = condition + rows(one_hot)

        def block(x: Array, width: int, name: str, attends: bool) -> Array:
            x = Residual(width, self.groups, self.dropout, name=name)(x, condition, train=train)
            if attends:
                x = Attention(self.heads, self.groups, name=f"{name}_attention")(x)
            return x

        x = Conv(self.width, (3, 3), kernel_init=_INIT, name="input")(image)
        x = down_and_up(x, widths, self.layers, self.attention, block, (1, 1), _INIT)
        x = jax.nn.silu(_norm(self.groups, "norm")(x))
        return Conv(self.outputs * self.channels, (3, 3), kernel_init=_ZERO, name="output")(x)


MODEL = ImprovedDDPM
_SMALL = {"layers": 1, "channels": 1}
_64 = {"multiples": (1, 2, 3, 4), "attention": (2, 3)}
VARIANTS: dict[str, dict] = {
    "tiny": {
        **_SMALL,
        "width": 4,
        "multiples": (1, 2),
        "attention": (1,),
        "heads": 2,
        "classes": 3,
        "groups": 2,
    },
    "small": {**_SMALL, "width": 32, "multiples": (1, 2), "attention": (1,), "groups": 8},
    "28": {**_SMALL, "width": 32, "multiples": (1, 2, 2), "attention": (2,), "groups": 8},
    "cifar10": {"dropout": 0.3},
    "64": _64,
    "64_classes": {**_64, "classes": 1000},
}
# openai/improved-diffusion's UNetModel with learned variance, as its README sets it.
PUBLISHED = {"cifar10": 52_546_438, "64": 121_063_942, "64_classes": 121_575_942}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two images, their times and, where the variant has classes, their labels."""
    row = VARIANTS[variant]
    channels = row.get("channels", 3)
    side = 8 if channels == 1 else 64 if "64" in variant else 32
    given = {
        "image": ShapeDtypeStruct((2, side, side, channels), jnp.float32),
        "time": ShapeDtypeStruct((2,), jnp.int32),
    }
    if row.get("classes"):
        given["label"] = ShapeDtypeStruct((2,), jnp.int32)
    return given
