"""GPT. Radford et al. 2018, Improving Language Understanding by Generative Pre-Training, section 4.1.

h = E[token] + P[position];   n = ln_1(h + attention(h));   h = ln_2(n + mlp(n));   logits = h E^T
"""

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
    dropout: float

    @nn.compact
    def __call__(
        self, x: Float[Array, "b t d"], past: Past, *, train: bool
    ) -> Float[Array, "b t d"]:
        b, t, d = x.shape
        qkv = dense(3 * d, kernel_init=_INIT, name="c_attn")(x)
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
        out = dense(d, kernel_init=_INIT, name="c_proj")(out.reshape(b, t, d))
        return Dropout(self.dropout, name="resid_dropout")(out, train=train)


class Block(nn.Module):
    """Attention and MLP, each added to its input and then normalized."""

    heads: int
    dropout: float

    @nn.compact
    def __call__(
        self, x: Float[Array, "b t d"], past: Past, *, train: bool
    ) -> Float[Array, "b t d"]:
        attention = CausalSelfAttention(self.heads, self.dropout, name="attn")
        x = nn.LayerNorm(epsilon=1e-5, name="ln_1")(x + attention(x, past, train=train))
        # GELU by tanh, as in the authors' program.
        wide = dense(4 * x.shape[-1], kernel_init=_INIT, name="c_fc")(x)
        y = dense(x.shape[-1], kernel_init=_INIT, name="c_proj")(
            jax.nn.gelu(wide, approximate=True)
        )
        y = Dropout(self.dropout, name="dropout")(y, train=train)
        return nn.LayerNorm(epsilon=1e-5, name="ln_2")(x + y)


class GPT1(nn.Module):
    """Post-norm decoder with learned positions, the embedding's transpose as its head.

    Attributes:
        vocabulary: number of tokens: 40,000 merges, 478 letters and marks.
        context: largest number of positions.
        layers, heads, features: of the blocks.
        dropout: rate at the embeddings, the attention and both additions.
    """

    vocabulary: int = 40_478
    context: int = 512
    layers: int = 12
    heads: int = 12
    features: int = 768
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
        embed = nn.Embed(self.vocabulary, self.features, embedding_init=_INIT, name="tokens")
        table = nn.Embed(self.context, self.features, embedding_init=_INIT, name="positions")
        x = embed(tokens)
        x = x + table(places.position).reshape(-1, *x.shape[1:])
        x = Dropout(self.dropout, name="drop")(x, train=train)
        blocks = [Block(self.heads, self.dropout, name=f"h_{i}") for i in range(self.layers)]
        x = stack(blocks, x, places, train=train)
        return embed.attend(x)


MODEL = GPT1
VARIANTS: dict[str, dict] = {
    "tiny": {"vocabulary": 17, "context": 16, "layers": 2, "heads": 2, "features": 8},
    "gpt1": {},
    # Of the size of gpt's char-small (no published form).
    "char-small": {
        "vocabulary": 65,
        "context": 64,
        "layers": 4,
        "heads": 4,
        "features": 128,
        "dropout": 0.0,
    },
}
# Trainable: transformers' OpenAIGPTLMHeadModel; the tied head is counted once.
PUBLISHED = {"gpt1": 116_534_784}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two full contexts of tokens."""
    return {"tokens": ShapeDtypeStruct((2, VARIANTS[variant].get("context", 512)), jnp.int32)}
