"""Llama. Touvron et al. 2023, arXiv:2302.13971, section 2.2; 2023, arXiv:2307.09288, Table 1; the grouped
heads of Ainslie et al. 2023, arXiv:2305.13245; with the small settings of Karpathy's llama2.c.

    x += attention(norm(x));   x += W_down (silu(W_gate y) * W_up y), y = norm(x);   logits = norm(x) W^T
    norm(x) = g x / rms(x);    query m and key n are turned by m and n times theta^(-2i/d) in plane i
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float, Int

from dljax.nn import Dropout, attend, dense, stack
from dljax.nn.cache import Past, past, remember

_INIT = nn.initializers.normal(0.02)


def rotary(
    x: Float[Array, "b t k d"], position: Int[Array, " t"] | Int[Array, "b t"], theta: float
) -> Float[Array, "b t k d"]:
    """``x`` turned by its positions. Su et al. 2021, arXiv:2104.09864, section 3.2.2.

    Plane i has the features i and i + d / 2, as in transformers, where the paper, Meta's programs and
    llama2.c have 2 i and 2 i + 1: the same network once the rows of its weights are reordered
    (``dljax.weights.llama``).
    """
    half = x.shape[-1] // 2
    frequency = theta ** (-jnp.arange(half, dtype=jnp.float32) / half)
    at = position.reshape(-1, x.shape[1], 1, 1).astype(jnp.float32)
    angle = at * frequency[None, None, None]
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    first, second = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    turned = jnp.concatenate([first * cos - second * sin, second * cos + first * sin], -1)
    return turned.astype(x.dtype)


class SelfAttention(nn.Module):
    """Attention of each position to itself and to earlier ones; ``heads`` queries share ``groups`` keys."""

    heads: int
    groups: int
    layers: int
    theta: float
    dropout: float

    @nn.compact
    def __call__(
        self, x: Float[Array, "b t d"], past: Past, *, train: bool
    ) -> Float[Array, "b t d"]:
        b, t, d = x.shape
        width = d // self.heads

        def project(name: str, heads: int) -> Array:
            out = dense(heads * width, use_bias=False, kernel_init=_INIT, name=name)(x)
            return out.reshape(b, t, heads, width)

        query = rotary(project("query", self.heads), past.position, self.theta)
        key = rotary(project("key", self.groups), past.position, self.theta)
        out = attend(
            query,
            remember(self, "keys", key, past),
            remember(self, "values", project("value", self.groups), past),
            past.mask,
            causal=past.mask is None,
            dropout=Dropout(self.dropout, name="weights_dropout"),
            train=train,
        )
        out = dense(d, use_bias=False, kernel_init=_scaled(self.layers), name="output")(
            out.reshape(b, t, d)
        )
        return Dropout(self.dropout, name="dropout")(out, train=train)


def _scaled(layers: int) -> nn.initializers.Initializer:
    """GPT-2's: what is added to the residual stream starts smaller."""
    return nn.initializers.normal(0.02 * (2 * layers) ** -0.5)


class GatedMLP(nn.Module):
    """SwiGLU. Shazeer 2020, arXiv:2002.05202, equation 6."""

    hidden: int
    layers: int
    dropout: float

    @nn.compact
    def __call__(self, x: Float[Array, "b t d"], *, train: bool) -> Float[Array, "b t d"]:
        gate = dense(self.hidden, use_bias=False, kernel_init=_INIT, name="gate")(x)
        up = dense(self.hidden, use_bias=False, kernel_init=_INIT, name="up")(x)
        down = dense(x.shape[-1], use_bias=False, kernel_init=_scaled(self.layers), name="down")
        return Dropout(self.dropout, name="dropout")(down(jax.nn.silu(gate) * up), train=train)


class Block(nn.Module):
    """Attention and MLP, each on a normalized input and added to it."""

    heads: int
    groups: int
    layers: int
    hidden: int
    theta: float
    epsilon: float
    dropout: float

    @nn.compact
    def __call__(
        self, x: Float[Array, "b t d"], past: Past, *, train: bool
    ) -> Float[Array, "b t d"]:
        y = nn.RMSNorm(self.epsilon, name="attention_norm")(x)
        sizes = (self.heads, self.groups, self.layers, self.theta, self.dropout)
        x = x + SelfAttention(*sizes, name="attention")(y, past, train=train)
        y = nn.RMSNorm(self.epsilon, name="mlp_norm")(x)
        mlp = GatedMLP(self.hidden, self.layers, self.dropout, name="mlp")
        return x + mlp(y, train=train)


class Llama(nn.Module):
    """Pre-norm decoder with rotary positions and without biases.

    Attributes:
        vocabulary: number of tokens.
        context: largest number of tokens.
        layers, heads, features: of the blocks.
        groups: heads of the keys and values, a divisor of ``heads``.
        hidden: width within the MLP.
        tied: the head is the embedding's transpose.
        theta: base of the positions' frequencies.
        epsilon: of the norms.
        dropout: rate at the embeddings, the attention and both additions to the residual stream
            (llama2.c's; the papers have none).
    """

    vocabulary: int = 32_000
    context: int = 4096
    layers: int = 32
    heads: int = 32
    groups: int = 32
    features: int = 4096
    hidden: int = 11_008
    tied: bool = False
    theta: float = 10_000.0
    epsilon: float = 1e-5
    dropout: float = 0.0

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
        embed = nn.Embed(self.vocabulary, self.features, embedding_init=_INIT, name="embed")
        x = Dropout(self.dropout, name="dropout")(embed(tokens), train=train)
        sizes = (self.heads, self.groups, self.layers, self.hidden)
        rates = (self.theta, self.epsilon, self.dropout)
        blocks = [Block(*sizes, *rates, name=f"block{i}") for i in range(self.layers)]
        x = stack(blocks, x, places, train=train)
        x = nn.RMSNorm(self.epsilon, name="norm")(x)
        if self.tied:
            return embed.attend(x)
        return dense(self.vocabulary, use_bias=False, kernel_init=_INIT, name="head")(x)


def _row(
    context: int, layers: int, heads: int, groups: int, features: int, hidden: int, **more
) -> dict:
    names = {"context": context, "layers": layers, "heads": heads, "groups": groups}
    return {**names, "features": features, "hidden": hidden, **more}


MODEL = Llama
VARIANTS: dict[str, dict] = {
    "tiny": _row(16, 2, 2, 1, 8, 12, vocabulary=17, tied=True),
    "llama2-7b": {},
    "llama2-13b": _row(4096, 40, 40, 40, 5120, 13_824),
    "llama2-70b": _row(4096, 80, 64, 8, 8192, 28_672),
    "llama3-8b": _row(8192, 32, 32, 8, 4096, 14_336, vocabulary=128_256, theta=500_000.0),
    # Zhang et al. 2024, arXiv:2401.02385, Table 2
    "tinyllama-1.1b": _row(2048, 22, 32, 4, 2048, 5632),
    # llama2.c's models of TinyStories
    "stories260k": _row(512, 5, 8, 4, 64, 172, vocabulary=512, tied=True),
    "stories15m": _row(256, 6, 6, 6, 288, 768, tied=True),
    "stories42m": _row(1024, 8, 8, 8, 512, 1376, tied=True),
    "stories110m": _row(1024, 12, 12, 12, 768, 2048, tied=True),
    # Of the size of gpt's char-small (no published form).
    "char-small": _row(64, 4, 4, 2, 128, 352, vocabulary=65, tied=True),
}
# Trainable: transformers' LlamaForCausalLM of these sizes; a tied head is counted once.
PUBLISHED = {
    "llama2-7b": 6_738_415_616,
    "llama2-13b": 13_015_864_320,
    "llama2-70b": 68_976_648_192,
    "llama3-8b": 8_030_261_248,
    "tinyllama-1.1b": 1_100_048_384,
    "stories260k": 260_032,
    "stories15m": 15_191_712,
    "stories42m": 41_689_600,
    "stories110m": 109_529_856,
}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two full contexts of tokens."""
    return {"tokens": ShapeDtypeStruct((2, VARIANTS[variant].get("context", 4096)), jnp.int32)}
