"""GPT-2. Radford et al. 2019, Language Models are Unsupervised Multitask Learners, Table 2; with the
small character-level settings of Karpathy's nanoGPT.

    x = E[token] + P[position];   x += attention(ln_1(x));   x += mlp(ln_2(x));   logits = ln_f(x) E^T
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float, Int

from dljax.nn import Dropout, attend, dense, stack
from dljax.nn.cache import Past, past, remember

_INIT = nn.initializers.normal(0.02)


class CausalSelfAttention(nn.Module):
    """Attention of each position to itself and to earlier ones, in ``heads`` heads."""

    heads: int
    layers: int
    bias: bool
    dropout: float

    @nn.compact
    def __call__(
        self, x: Float[Array, "b t d"], past: Past, *, train: bool
    ) -> Float[Array, "b t d"]:
        b, t, d = x.shape
        qkv = dense(3 * d, use_bias=self.bias, kernel_init=_INIT, name="c_attn")(x)
        query, key, value = (
            part.reshape(b, t, self.heads, d // self.heads) for part in jnp.split(qkv, 3, axis=-1)
        )
        out = attend(
            query,
            remember(self, "key", key, past),
            remember(self, "value", value, past),
            past.mask,
            causal=past.mask is None,
            dropout=Dropout(self.dropout, name="attn_dropout"),
            train=train,
        )
        out = dense(
            d,
            use_bias=self.bias,
            kernel_init=nn.initializers.normal(0.02 * (2 * self.layers) ** -0.5),
            name="c_proj",
        )(out.reshape(b, t, d))
        return Dropout(self.dropout, name="resid_dropout")(out, train=train)


class MLP(nn.Module):
    """Linear layer to four times the width, GELU, linear layer back."""

    layers: int
    bias: bool
    dropout: float

    @nn.compact
    def __call__(self, x: Float[Array, "b t d"], *, train: bool) -> Float[Array, "b t d"]:
        d = x.shape[-1]
        x = dense(4 * d, use_bias=self.bias, kernel_init=_INIT, name="c_fc")(x)
        x = jax.nn.gelu(x, approximate=True)
        # What is added to the residual stream starts smaller, so that its sum over layers does not grow.
        scaled = nn.initializers.normal(0.02 * (2 * self.layers) ** -0.5)
        x = dense(d, use_bias=self.bias, kernel_init=scaled, name="c_proj")(x)
        return Dropout(self.dropout, name="dropout")(x, train=train)


class Block(nn.Module):
    """Attention and MLP, each on a normalized input and added to it."""

    heads: int
    layers: int
    bias: bool
    dropout: float

    @nn.compact
    def __call__(
        self, x: Float[Array, "b t d"], past: Past, *, train: bool
    ) -> Float[Array, "b t d"]:
        shared: dict[str, Any] = {"layers": self.layers, "bias": self.bias, "dropout": self.dropout}
        attention = CausalSelfAttention(self.heads, **shared, name="attn")
        mlp = MLP(**shared, name="mlp")
        normed = nn.LayerNorm(epsilon=1e-5, use_bias=self.bias, name="ln_1")(x)
        x = x + attention(normed, past, train=train)
        normed = nn.LayerNorm(epsilon=1e-5, use_bias=self.bias, name="ln_2")(x)
        return x + mlp(normed, train=train)


class GPT(nn.Module):
    """Pre-norm decoder with learned positions, the embedding's transpose as its head.

    Attributes:
        vocabulary: number of tokens.
        context: largest number of positions.
        layers, heads, features: of the blocks.
        bias: in the linear layers and norms (GPT-2 has them, nanoGPT's own settings do not).
        dropout: rate at the embeddings, the attention and both additions to the residual stream.
    """

    vocabulary: int = 50_257
    context: int = 1024
    layers: int = 12
    heads: int = 12
    features: int = 768
    bias: bool = True
    dropout: float = 0.1

    @nn.compact
    def __call__(
        self,
        tokens: Int[Array, "b t"],
        *,
        train: bool,
        decode: bool | int = False,
        padding: Int[Array, " b"] | None = None,
    ) -> Float[Array, "b t v"]:
        """Logits for the token after each.

        Args:
            decode, padding: of ``dljax.nn.cache.past``.
        """
        places = past(self, tokens.shape[1], self.context, decode, padding)
        embed = nn.Embed(self.vocabulary, self.features, embedding_init=_INIT, name="wte")
        table = nn.Embed(self.context, self.features, embedding_init=_INIT, name="wpe")
        x = embed(tokens)
        x = x + table(places.position).reshape(-1, *x.shape[1:])
        x = Dropout(self.dropout, name="drop")(x, train=train)
        sizes = (self.heads, self.layers, self.bias, self.dropout)
        blocks = [Block(*sizes, name=f"h_{i}") for i in range(self.layers)]
        x = stack(blocks, x, places, train=train)
        x = nn.LayerNorm(epsilon=1e-5, use_bias=self.bias, name="ln_f")(x)
        return embed.attend(x)


MODEL = GPT
VARIANTS: dict[str, dict] = {
    "tiny": {"vocabulary": 17, "context": 16, "layers": 2, "heads": 2, "features": 8},
    "gpt2": {},
    "gpt2-medium": {"layers": 24, "heads": 16, "features": 1024},
    "gpt2-large": {"layers": 36, "heads": 20, "features": 1280},
    "gpt2-xl": {"layers": 48, "heads": 25, "features": 1600},
    "char": {
        "vocabulary": 65,
        "context": 256,
        "layers": 6,
        "heads": 6,
        "features": 384,
        "bias": False,
        "dropout": 0.2,
    },
    "char-small": {
        "vocabulary": 65,
        "context": 64,
        "layers": 4,
        "heads": 4,
        "features": 128,
        "bias": False,
        "dropout": 0.0,
    },
}
# Trainable, the head tied to the embedding and counted once, positions counted. (nanoGPT prints
# its own without the positions: 10.65M = 10,745,088 - 256 * 384, 0.80M = 804,096 - 64 * 128.)
PUBLISHED = {
    "gpt2": 124_439_808,
    "gpt2-medium": 354_823_168,
    "gpt2-large": 774_030_080,
    "gpt2-xl": 1_557_611_200,
    "char": 10_745_088,
    "char-small": 804_096,
}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two full contexts of tokens."""
    return {"tokens": ShapeDtypeStruct((2, VARIANTS[variant].get("context", 1024)), jnp.int32)}
