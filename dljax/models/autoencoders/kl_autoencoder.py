"""Latent diffusion's KL autoencoder. Rombach et al. 2022, High-Resolution Image Synthesis with Latent
Diffusion Models, arXiv:2112.10752, appendix G; with two residual blocks a level, as in CompVis' code.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Conv, doubled, draw
from dljax.nn.normed_residual import NormedResidual, PlaceAttention
from dljax.nn.pyramid import check_sides

_INIT = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")  # PyTorch's own
_LOG_VAR = (-30.0, 20.0)  # CompVis' bounds: exp of neither is lost in float32


def _conv(features: int, side: int, name: str | None = None) -> Conv:
    return Conv(features, (side, side), kernel_init=_INIT, name=name)


def _residual(features: int, groups: int, name: str) -> NormedResidual:
    return NormedResidual(features, groups, _INIT, _INIT, name=name)


class Middle(nn.Module):
    """Residual block, attention, residual block."""

    groups: int

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        x = _residual(x.shape[-1], self.groups, "block0")(x, train=False)
        x = PlaceAttention(self.groups, _INIT, _INIT, name="attention")(x)
        return _residual(x.shape[-1], self.groups, "block1")(x, train=False)


class Encoder(nn.Module):
    """Image to maps of half the side at each level but the last."""

    widths: tuple[int, ...]
    layers: int
    outputs: int
    groups: int

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 outputs"]:
        x = _conv(self.widths[0], 3, "input")(image)
        for level, width in enumerate(self.widths):
            for layer in range(self.layers):
                x = _residual(width, self.groups, f"down{level}_{layer}")(x, train=False)
            if level < len(self.widths) - 1:
                pad = ((0, 1), (0, 1))  # one row and column of zeros behind, none before
                x = Conv(width, (3, 3), (2, 2), pad, kernel_init=_INIT, name=f"down{level}")(x)
        x = Middle(self.groups, name="middle")(x)
        x = jax.nn.silu(nn.GroupNorm(self.groups, name="norm")(x))
        return _conv(self.outputs, 3, "output")(x)


class Decoder(nn.Module):
    """Maps to an image; the sides double by repetition, and a level has one block more than below."""

    widths: tuple[int, ...]
    layers: int
    channels: int
    groups: int

    @nn.compact
    def __call__(self, z: Float[Array, "b h2 w2 z"]) -> Float[Array, "b h w c"]:
        x = Middle(self.groups, name="middle")(_conv(self.widths[-1], 3, "input")(z))
        for level in reversed(range(len(self.widths))):
            width = self.widths[level]
            for layer in range(self.layers + 1):
                x = _residual(width, self.groups, f"up{level}_{layer}")(x, train=False)
            if level:
                x = _conv(width, 3, f"up{level}")(doubled(x))
        x = jax.nn.silu(nn.GroupNorm(self.groups, name="norm")(x))
        return _conv(self.channels, 3, "output")(x)


class KLAutoencoder(nn.Module):
    """Encoder and decoder, with a draw of each place's latents between them in training, else their mean.

    Attributes:
        widths: channels per level; the latents' sides are the image's by ``factor``.
        layers: residual blocks per level of the encoder.
        latents: channels of the latents.
        channels: of the image, about 0.
        groups: of GroupNorm.

    Raises:
        UserError: a side of the images is no multiple of ``factor``.
    """

    widths: tuple[int, ...] = (128, 256, 512, 512)
    layers: int = 2
    latents: int = 4
    channels: int = 3
    groups: int = 32

    def setup(self):
        sizes = self.widths, self.layers
        self.encoder = Encoder(*sizes, 2 * self.latents, self.groups)
        self.encoder_out = _conv(2 * self.latents, 1)
        self.decoder_in = _conv(self.latents, 1)
        self.decoder = Decoder(*sizes, self.channels, self.groups)

    def __call__(
        self, image: Float[Array, "b h w c"], *, train: bool
    ) -> tuple[Float[Array, "b h w c"], Float[Array, "b h2 w2 z"], Float[Array, "b h2 w2 z"]]:
        """Return (restored image, mean, log variance)."""
        mean, log_var = self.encode(image)
        return self.decode(draw(self, mean, log_var) if train else mean), mean, log_var

    @property
    def factor(self) -> int:
        """The paper's f, 2 ** (levels - 1)."""
        return 2 ** (len(self.widths) - 1)

    def encode(
        self, image: Float[Array, "b h w c"]
    ) -> tuple[Float[Array, "b h2 w2 z"], Float[Array, "b h2 w2 z"]]:
        """Mean and log variance of q(z | x)."""
        check_sides(image.shape, len(self.widths), "a KL autoencoder")
        mean, log_var = jnp.split(self.encoder_out(self.encoder(image)), 2, axis=-1)
        return mean, jnp.clip(log_var, *_LOG_VAR)

    def decode(self, z: Float[Array, "b h2 w2 z"]) -> Float[Array, "b h w c"]:
        return self.decoder(self.decoder_in(z))


MODEL = KLAutoencoder
_SMALL = {"widths": (16, 32), "layers": 1, "channels": 1, "groups": 8}
VARIANTS: dict[str, dict] = {
    "tiny": {"widths": (4, 8), "layers": 0, "latents": 2, "channels": 1, "groups": 2},
    "small": {**_SMALL, "latents": 1},
    "f4": {**_SMALL, "widths": (16, 32, 64)},
    "f8": {},
}
PUBLISHED = {"f8": 83_653_863}  # CompVis' AutoencoderKL, equal to diffusers'


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two images, of 8x8 pixels, 32x32 for "f8"."""
    side = 32 if variant == "f8" else 8
    channels = VARIANTS[variant].get("channels", 3)
    return {"image": ShapeDtypeStruct((2, side, side, channels), jnp.float32)}
