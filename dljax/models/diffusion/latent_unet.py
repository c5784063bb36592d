"""Latent diffusion's U-Net, which reads tokens by cross attention. Rombach et al. 2022, arXiv:2112.10752,
section 3.3 and appendix E.2; as in CompVis/latent-diffusion.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Bool, Float, Int

from dljax.nn import Conv, attend, dense
from dljax.nn.normed_residual import NormedResidual
from dljax.nn.pyramid import check_sides, down_and_up
from dljax.nn.time import cosines_first, two_layers

_INIT = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")  # PyTorch's own
_ZERO = nn.initializers.zeros_init()


class Attention(nn.Module):
    """Attention in heads of places to others, or to tokens; no bias but the output's."""

    heads: int

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b t d"],
        tokens: Float[Array, "b s e"],
        mask: Bool[Array, "b s"] | None = None,
    ) -> Float[Array, "b t d"]:
        def heads(name: str, y: Array) -> Array:
            y = dense(x.shape[-1], use_bias=False, kernel_init=_INIT, name=name)(y)
            return y.reshape(*y.shape[:2], self.heads, -1)

        query, key, value = heads("query", x), heads("key", tokens), heads("value", tokens)
        seen = None if mask is None else mask[:, None, None]
        out = attend(query, key, value, seen).reshape(x.shape)
        return dense(x.shape[-1], kernel_init=_INIT, name="output")(out)


class Reader(nn.Module):
    """A spatial transformer: attention among places, attention to the tokens, a gated feed-forward net."""

    heads: int
    groups: int

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b h w c"],
        tokens: Float[Array, "b s e"],
        mask: Bool[Array, "b s"] | None,
    ) -> Float[Array, "b h w c"]:
        c = x.shape[-1]

        def norm(y: Array, number: int) -> Array:
            return nn.LayerNorm(epsilon=1e-5, name=f"norm{number}")(y)

        y = nn.GroupNorm(self.groups, name="norm")(x)
        y = dense(c, kernel_init=_INIT, name="input")(y.reshape(len(x), -1, c))
        among = norm(y, 1)
        y = y + Attention(self.heads, name="self_attn")(among, among)
        y = y + Attention(self.heads, name="cross_attn")(norm(y, 2), tokens, mask)
        both = dense(8 * c, kernel_init=_INIT, name="linear1")(norm(y, 3))
        value, gate = jnp.split(both, 2, axis=-1)
        gated = value * jax.nn.gelu(gate, approximate=False)
        y = y + dense(c, kernel_init=_INIT, name="linear2")(gated)
        return x + dense(c, kernel_init=_ZERO, name="output")(y).reshape(x.shape)


class LatentUNet(nn.Module):
    """U-Net for the noise in latents at a time, told tokens.

    Attributes:
        width: channels of the first level.
        multiples: of ``width``, for each level; each level halves the sides.
        layers: residual blocks per level (one more on the way up).
        attention: the levels that read the tokens, beside the middle.
        context: features of a token.
        channels: of the latents.
        groups: of GroupNorm.

    Raises:
        UserError: a side of the latents is no multiple of 2 ** (len(multiples) - 1).
    """

    width: int = 320
    multiples: tuple[int, ...] = (1, 2, 4, 4)
    layers: int = 2
    attention: tuple[int, ...] = (0, 1, 2)
    heads: int = 8
    context: int = 768
    channels: int = 4
    groups: int = 32
    dropout: float = 0.0

    @nn.compact
    def __call__(
        self,
        image: Float[Array, "b h w c"],
        time: Int[Array, " b"],
        tokens: Float[Array, "b s context"],
        mask: Bool[Array, "b s"] | None = None,
        *,
        train: bool,
    ) -> Float[Array, "b h w c"]:
        """The noise; ``mask`` is False at places without a token."""
        widths = [self.width * multiple for multiple in self.multiples]
        check_sides(image.shape, len(widths), "a latent U-Net")
        embedding = cosines_first(time, self.width).astype(image.dtype)
        t = two_layers(embedding, 4 * self.width, _INIT)

        def block(x: Array, width: int, name: str, reads: bool) -> Array:
            residual = NormedResidual(
                width, self.groups, _INIT, _ZERO, self.dropout, epsilon=1e-5, name=name
            )
            x = residual(x, t, train=train)
            if reads:
                x = Reader(self.heads, self.groups, name=f"{name}_reader")(x, tokens, mask)
            return x

        x = Conv(self.width, (3, 3), kernel_init=_INIT, name="input")(image)
        x = down_and_up(x, widths, self.layers, self.attention, block, (1, 1), _INIT)
        x = jax.nn.silu(nn.GroupNorm(self.groups, epsilon=1e-5, name="norm")(x))
        return Conv(self.channels, (3, 3), kernel_init=_ZERO, name="output")(x)


class ToldClass(nn.Module):
    """The network with classes as tokens, learned with it: one each, and one of no class, appendix E.2."""

    network: nn.Module
    classes: int

    @nn.compact
    def __call__(
        self,
        image: Float[Array, "b h w c"],
        time: Int[Array, " b"],
        label: Int[Array, " b"],
        *,
        train: bool,
    ) -> Float[Array, "b h w c"]:
        """The noise; a label of -1 is no class."""
        network: Any = self.network
        init = nn.initializers.normal(1.0)  # PyTorch's Embedding
        known = nn.Embed(self.classes + 1, network.context, embedding_init=init, name="embed")
        tokens = known(jnp.where(label < 0, self.classes, label))[:, None]
        return self.network(image, time, tokens, train=train)


class ToldCaption(nn.Module):
    """The network with a caption's tokens as a text encoder has them, which is learned with it.

    Attributes:
        encoder: has a method ``encode(tokens [b, s], train=...) -> (features [b, s, context], True where
            there is a token [b, s])``, and takes 0 for no token.
    """

    network: nn.Module
    encoder: nn.Module

    def __call__(
        self,
        image: Float[Array, "b h w c"],
        time: Int[Array, " b"],
        caption: Int[Array, "b s"],
        *,
        train: bool,
    ) -> Float[Array, "b h w c"]:
        """The noise; a caption of -1 everywhere is none: its first token alone, 1, which begins each."""
        begins = jnp.arange(caption.shape[1])[None] == 0
        words = jnp.where(begins, 1, jnp.maximum(caption, 0))
        read: Any = self.encoder
        return self.network(image, time, *read.encode(words, train=train), train=train)


MODEL = LatentUNet
_SMALL = {"width": 32, "multiples": (1, 2), "layers": 1, "attention": (1,), "heads": 4, "groups": 8}
VARIANTS: dict[str, dict] = {
    # Of one level, which reads in the middle alone.
    "tiny": {
        **_SMALL,
        "width": 4,
        "multiples": (1,),
        "attention": (),
        "heads": 2,
        "context": 8,
        "channels": 2,
        "groups": 2,
    },
    "small": {**_SMALL, "context": 64, "channels": 1},
    "imagenet": {
        "width": 192,
        "multiples": (1, 2, 3, 5),
        "attention": (1, 2, 3),
        "heads": 1,
        "context": 512,
        "channels": 3,
    },
    "text": {"context": 1280},
    "stable": {},
}
# CompVis' UNetModel; "text" is of the paper's LAION model, "stable" of Stable Diffusion 1, as diffusers has it.
PUBLISHED = {"imagenet": 400_920_579, "text": 872_300_484, "stable": 859_520_964}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Latents of two images, their times and three tokens for each."""
    model = LatentUNet(**VARIANTS[variant])
    side = 2 ** (len(model.multiples) + 1)
    return {
        "image": ShapeDtypeStruct((2, side, side, model.channels), jnp.float32),
        "time": ShapeDtypeStruct((2,), jnp.int32),
        "tokens": ShapeDtypeStruct((2, 3, model.context), jnp.float32),
    }
