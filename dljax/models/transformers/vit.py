"""Vision Transformer. Dosovitskiy et al. 2020, An Image is Worth 16x16 Words, arXiv:2010.11929, Table 1;
the small and tiny sizes of Touvron et al. 2020, arXiv:2012.12877, Table 1.

    z = [class; patches E] + P;   z += MSA(LN(z));   z += MLP(LN(z));   logits = LN(z_0) W    (equations 1-4)
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Conv, Dropout, attend, dense, stack

# Of the authors' program: uniform for the blocks, and the head from zero.
_xavier = nn.initializers.xavier_uniform()
_small = nn.initializers.normal(1e-6)


class SelfAttention(nn.Module):
    """Attention of every position to all, in ``heads`` heads."""

    heads: int

    @nn.compact
    def __call__(self, x: Float[Array, "b t d"]) -> Float[Array, "b t d"]:
        b, t, d = x.shape
        # One matrix for the three, each drawn as a matrix of its own would be.
        qkv_init = nn.initializers.variance_scaling(2.0, "fan_avg", "uniform")
        qkv = dense(3 * d, kernel_init=qkv_init, name="qkv")(x)
        query, key, value = (
            part.reshape(b, t, self.heads, d // self.heads) for part in jnp.split(qkv, 3, axis=-1)
        )
        out = attend(query, key, value).reshape(b, t, d)
        return dense(d, kernel_init=_xavier, name="output")(out)


class Block(nn.Module):
    """Attention and MLP, each on a normalized input and added to it."""

    heads: int
    hidden: int
    dropout: float

    @nn.compact
    def __call__(self, x: Float[Array, "b t d"], *, train: bool) -> Float[Array, "b t d"]:
        y = SelfAttention(self.heads, name="attention")(nn.LayerNorm(name="norm1")(x))
        x = x + Dropout(self.dropout, name="dropout1")(y, train=train)
        y = dense(self.hidden, kernel_init=_xavier, bias_init=_small, name="mlp1")(
            nn.LayerNorm(name="norm2")(x)
        )
        y = Dropout(self.dropout, name="dropout2")(jax.nn.gelu(y, approximate=False), train=train)
        y = dense(x.shape[-1], kernel_init=_xavier, bias_init=_small, name="mlp2")(y)
        return x + Dropout(self.dropout, name="dropout3")(y, train=train)


class ViT(nn.Module):
    """Patches as tokens behind a class token, learned positions, blocks, Dense on the class token.

    Attributes:
        patch: side of a patch in pixels.
        layers, heads, features: of the blocks; their MLP is four times as wide.
        dropout: rate after the positions, both layers of an MLP and the attention's output (Table 3: 0.1
            where ImageNet alone is trained on).
    """

    patch: int
    features: int
    layers: int
    heads: int
    classes: int = 1000
    dropout: float = 0.0

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b classes"]:
        d, sides = self.features, (self.patch, self.patch)
        embed = Conv(
            d,
            sides,
            sides,
            padding="VALID",
            kernel_init=nn.initializers.lecun_normal(),
            name="embed",
        )
        x = embed(image)
        x = x.reshape(x.shape[0], -1, d)
        first = self.param("class", nn.initializers.zeros, (1, 1, d)).astype(x.dtype)
        x = jnp.concatenate([jnp.broadcast_to(first, (x.shape[0], 1, d)), x], axis=1)
        x = x + self.param("positions", nn.initializers.normal(0.02), (1, x.shape[1], d)).astype(
            x.dtype
        )
        x = Dropout(self.dropout, name="dropout")(x, train=train)
        sizes = (self.heads, 4 * d, self.dropout)
        x = stack([Block(*sizes, name=f"block{i}") for i in range(self.layers)], x, train=train)
        x = nn.LayerNorm(name="norm")(x[:, 0])
        return nn.Dense(self.classes, kernel_init=nn.initializers.zeros, name="output")(x)


_TINY = {"features": 192, "layers": 12, "heads": 3}
_SMALL = {"features": 384, "layers": 12, "heads": 6}
_BASE = {"features": 768, "layers": 12, "heads": 12}
_LARGE = {"features": 1024, "layers": 24, "heads": 16}
_HUGE = {"features": 1280, "layers": 32, "heads": 16}
MODEL = ViT
VARIANTS: dict[str, dict] = {
    "tiny": {"patch": 4, "features": 8, "layers": 1, "heads": 2, "classes": 10},
    "Ti/16": {"patch": 16, **_TINY},
    "S/16": {"patch": 16, **_SMALL},
    "S/32": {"patch": 32, **_SMALL},
    "B/16": {"patch": 16, **_BASE},
    "B/32": {"patch": 32, **_BASE},
    "L/16": {"patch": 16, **_LARGE},
    "L/32": {"patch": 32, **_LARGE},
    "H/14": {"patch": 14, **_HUGE},
    # For images of 32 pixels, in patches of 4 (no published form).
    "small": {"patch": 4, "features": 128, "layers": 6, "heads": 4, "classes": 10},
}
# timm's, torchvision's and transformers', with a head of 1000 classes and no pre-logits layer
PUBLISHED = {
    "Ti/16": 5_717_416,
    "S/16": 22_050_664,
    "B/16": 86_567_656,
    "B/32": 88_224_232,
    "L/16": 304_326_632,
    "L/32": 306_535_400,
    "H/14": 632_045_800,
}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two color images of 224x224 pixels, 32x32 for "small", 8x8 for "tiny"."""
    side = {"tiny": 8, "small": 32}.get(variant, 224)
    return {"image": ShapeDtypeStruct((2, side, side, 3), jnp.float32)}
