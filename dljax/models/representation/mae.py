"""Masked autoencoder. He et al. 2021, Masked Autoencoders Are Scalable Vision Learners, arXiv:2111.06377,
section 3.

    z = encoder(visible patches + positions);   x' = decoder(z and mask tokens in their places + positions)

The blocks are ViT's, Dosovitskiy et al. 2020, arXiv:2010.11929, equations 1-3; positions are sines and cosines
of the row and the column, as in the authors' program, and not learned.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float, Int

from dljax.errors import UserError
from dljax.nn import Conv, attend, dense, stack

_xavier = nn.initializers.xavier_uniform()
_token = nn.initializers.normal(0.02)


def patches(image: Float[Array, "b h w c"], side: int) -> Float[Array, "b t d"]:
    """The image's squares, line by line, each as its pixels' channels."""
    b, h, w, c = image.shape
    cut = image.reshape(b, h // side, side, w // side, side, c).transpose(0, 1, 3, 2, 4, 5)
    return cut.reshape(b, -1, side * side * c)


def joined(squares: Float[Array, "b t d"], side: int, width: int) -> Float[Array, "b h w c"]:
    """The image whose ``patches`` these are, ``width`` pixels wide."""
    b, t, d = squares.shape
    columns, c = width // side, d // side**2
    cut = squares.reshape(b, t // columns, columns, side, side, c).transpose(0, 1, 3, 2, 4, 5)
    return cut.reshape(b, -1, width, c)


def positions(rows: int, columns: int, features: int) -> np.ndarray:
    """float32 [1 + rows * columns, features]: zeros for the class token, then [sin x, cos x, sin y, cos y].

    A quarter of the features each, at the rates 10000^(-i / quarter).
    """
    quarter = features // 4
    rate = 10_000.0 ** (-np.arange(quarter) / quarter)
    y, x = (place.ravel()[:, None] * rate for place in np.mgrid[:rows, :columns])
    table = np.concatenate([np.sin(x), np.cos(x), np.sin(y), np.cos(y)], 1)
    return np.concatenate([np.zeros((1, features)), table]).astype(np.float32)


class Block(nn.Module):
    """Attention and MLP, each on a normalized input and added to it."""

    heads: int

    @nn.compact
    def __call__(self, x: Float[Array, "b t d"], *, train: bool) -> Float[Array, "b t d"]:
        b, t, d = x.shape
        y = dense(3 * d, kernel_init=_xavier, name="qkv")(nn.LayerNorm(name="norm1")(x))
        query, key, value = (
            part.reshape(b, t, self.heads, d // self.heads) for part in jnp.split(y, 3, axis=-1)
        )
        y = attend(query, key, value).reshape(b, t, d)
        x = x + dense(d, kernel_init=_xavier, name="output")(y)
        y = dense(4 * d, kernel_init=_xavier, name="mlp1")(nn.LayerNorm(name="norm2")(x))
        return x + dense(d, kernel_init=_xavier, name="mlp2")(jax.nn.gelu(y, approximate=False))


class Encoder(nn.Module):
    """A ViT on some of the patches, behind a class token: its last tokens, normalized.

    Attributes:
        patch: side of a patch in pixels.
    """

    patch: int
    features: int
    layers: int
    heads: int

    @nn.compact
    def __call__(
        self,
        image: Float[Array, "b h w c"],
        kept: Int[Array, "b k"] | None = None,
        *,
        train: bool,
    ) -> Float[Array, "b t d"]:
        """Encode the patches of the numbers ``kept``, in their order; all of them by default."""
        d, sides = self.features, (self.patch, self.patch)
        embed = Conv(d, sides, sides, padding="VALID", kernel_init=_xavier, name="embed")
        x = embed(image)
        b, rows, columns, _ = x.shape
        at = jnp.asarray(positions(rows, columns, d)[None], x.dtype)
        x = x.reshape(b, -1, d) + at[:, 1:]
        if kept is not None:
            x = jnp.take_along_axis(x, kept[..., None], axis=1)
        first = self.param("class", _token, (1, 1, d)).astype(x.dtype)
        x = jnp.concatenate([jnp.broadcast_to(first, (b, 1, d)), x], axis=1)
        x = stack([Block(self.heads, name=f"block{i}") for i in range(self.layers)], x, train=train)
        return nn.LayerNorm(name="norm")(x)


class MAE(nn.Module):
    """An encoder of a part of the patches, and a decoder of all.

    Attributes:
        features, layers, heads: of the decoder.
        ratio: part of the patches that the encoder does not see.

    Raises:
        UserError: of an image's patches none is seen.
    """

    encoder: Encoder
    features: int = 512
    layers: int = 8
    heads: int = 16
    ratio: float = 0.75

    @nn.compact
    def __call__(
        self, image: Float[Array, "b h w c"], noise: Float[Array, "b t"], *, train: bool
    ) -> tuple[Float[Array, "b t p"], Float[Array, "b t"]]:
        """Return (the pixels of every patch as restored, 1 where a patch was hidden and else 0).

        Args:
            noise: a number for each patch; those with the smallest are seen.
        """
        (b, t), d, side = noise.shape, self.features, self.encoder.patch
        seen = int(t * (1 - self.ratio))
        if not 0 < seen <= t:
            raise UserError(
                f"{t} patches, of which a part of {self.ratio} is hidden: {seen} are seen; expected 1 to {t}"
            )
        order = jnp.argsort(noise, axis=1)
        back = jnp.argsort(order, axis=1)  # where in the order each patch is
        x = self.encoder(image, order[:, :seen], train=train)
        x = dense(d, kernel_init=_xavier, name="embed")(x)
        token = self.param("mask", _token, (1, 1, d)).astype(x.dtype)
        x = jnp.concatenate([x, jnp.broadcast_to(token, (b, t - seen, d))], axis=1)
        x = jnp.concatenate(
            [x[:, :1], jnp.take_along_axis(x[:, 1:], back[..., None], axis=1)], axis=1
        )
        h, w, c = image.shape[1:]
        x = x + jnp.asarray(positions(h // side, w // side, d)[None], x.dtype)
        x = stack([Block(self.heads, name=f"block{i}") for i in range(self.layers)], x, train=train)
        x = nn.LayerNorm(name="norm")(x)[:, 1:]
        pixels = dense(side**2 * c, kernel_init=_xavier, name="pixels")(x)
        return pixels, (back >= seen).astype(image.dtype)

    def represent(self, image: Float[Array, "b h w c"]) -> Float[Array, "b d"]:
        """The mean of all patches' tokens."""
        return jnp.mean(self.encoder(image, train=False)[:, 1:], axis=1)


class Classifier(nn.Module):
    """Logits of classes, linear in the mean token, for fine-tuning (appendix A.1); the decoder is thrown away."""

    encoder: Encoder
    classes: int

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b classes"]:
        tokens = self.encoder(image, train=train)[:, 1:]
        return nn.Dense(self.classes, name="output")(jnp.mean(tokens, axis=1))


MODEL = MAE
VARIANTS: dict[str, dict] = {
    "tiny": {"encoder": Encoder(4, 8, 1, 2), "features": 8, "layers": 1, "heads": 2},
    # For images of 16 to 32 pixels (no published form).
    "small": {"encoder": Encoder(4, 64, 4, 4), "features": 32, "layers": 2, "heads": 4},
    "B/16": {"encoder": Encoder(16, 768, 12, 12)},
    "L/16": {"encoder": Encoder(16, 1024, 24, 16)},
    "H/14": {"encoder": Encoder(14, 1280, 32, 16)},
}
# Of the authors' and transformers', 3 channels, without the positions, which do not learn: 252,160 of B/16
PUBLISHED = {"B/16": 111_655_680, "L/16": 329_239_296, "H/14": 656_613_964}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two color images of 224x224 pixels, 16x16 for "small", 8x8 for "tiny", and noise for their patches."""
    side = {"tiny": 8, "small": 16}.get(variant, 224)
    count = (side // VARIANTS[variant]["encoder"].patch) ** 2
    return {
        "image": ShapeDtypeStruct((2, side, side, 3), jnp.float32),
        "noise": ShapeDtypeStruct((2, count), jnp.float32),
    }
