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

from dljax.nn import Dropout, dense

_INIT = nn.initializers.normal(0.02)


class CausalSelfAttention(nn.Module):
    """Attention of each position to itself and to earlier ones.

    With ``decode`` the keys and values of earlier calls, ``start`` of them, are in the collection
    "cache": one call may bring a whole prompt, later ones a token each.
    """

    heads: int
    context: int
    layers: int
    bias: bool
    dropout: float

    @nn.compact
    def __call__(
        self, x: Float[Array, "b t d"], start: Int[Array, ""] | int, *, train: bool, decode: bool
    ) -> Float[Array, "b t d"]:
        b, t, d = x.shape
        qkv = dense(3 * d, use_bias=self.bias, kernel_init=_INIT, name="c_attn")(x)
        query, key, value = (
            part.reshape(b, t, self.heads, d // self.heads) for part in jnp.split(qkv, 3, axis=-1)
        )
        if decode:
            key = self._remember("key", key, start)
            value = self._remember("value", value, start)
        scores = jnp.einsum("bqkd,bskd->bkqs", query, key) * (d // self.heads) ** -0.5
        seen = jnp.arange(key.shape[1])[None, :] <= start + jnp.arange(t)[:, None]
        scores = jnp.where(seen[None, None], scores.astype(jnp.float32), -jnp.inf)
        attention = jax.nn.softmax(scores, axis=-1).astype(x.dtype)
        attention = Dropout(self.dropout, name="attn_dropout")(attention, train=train)
        out = jnp.einsum("bkqs,bskd->bqkd", attention, value).reshape(b, t, d)
        out = dense(
            d,
            use_bias=self.bias,
            kernel_init=nn.initializers.normal(0.02 * (2 * self.layers) ** -0.5),
            name="c_proj",
        )(out)
        return Dropout(self.dropout, name="resid_dropout")(out, train=train)

    def _remember(
        self, name: str, new: Float[Array, "b t k d"], start: Int[Array, ""] | int
    ) -> Float[Array, "b s k d"]:
        b, _, *rest = new.shape
        kept = self.variable("cache", name, jnp.zeros, (b, self.context, *rest), new.dtype)
        kept.value = jax.lax.dynamic_update_slice_in_dim(kept.value, new, start, axis=1)
        return kept.value


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
    context: int
    layers: int
    bias: bool
    dropout: float

    @nn.compact
    def __call__(
        self, x: Float[Array, "b t d"], start: Int[Array, ""] | int, *, train: bool, decode: bool
    ) -> Float[Array, "b t d"]:
        shared: dict[str, Any] = {"layers": self.layers, "bias": self.bias, "dropout": self.dropout}
        attention = CausalSelfAttention(self.heads, self.context, **shared, name="attn")
        mlp = MLP(**shared, name="mlp")
        normed = nn.LayerNorm(epsilon=1e-5, use_bias=self.bias, name="ln_1")(x)
        x = x + attention(normed, start, train=train, decode=decode)
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
        self, tokens: Int[Array, "b t"], *, train: bool, decode: bool = False
    ) -> Float[Array, "b t v"]:
        """Logits for the token after each.

        Args:
            decode: continue the tokens of earlier calls, whose keys and values are in the collection
                "cache". The caller counts them: ``context`` in all at the most.
        """
        t = tokens.shape[1]
        if t > self.context:
            raise ValueError(f"{t} tokens do not fit the context of {self.context}")
        start: Array | int = 0
        if decode:
            seen = self.variable("cache", "seen", lambda: jnp.zeros((), jnp.int32))
            start = seen.value
            seen.value = start + t
        embed = nn.Embed(self.vocabulary, self.features, embedding_init=_INIT, name="wte")
        places = nn.Embed(self.context, self.features, embedding_init=_INIT, name="wpe")
        x = embed(tokens) + places(start + jnp.arange(t))[None]
        x = Dropout(self.dropout, name="drop")(x, train=train)
        for i in range(self.layers):
            x = Block(
                self.heads, self.context, self.layers, self.bias, self.dropout, name=f"h_{i}"
            )(x, start, train=train, decode=decode)
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
