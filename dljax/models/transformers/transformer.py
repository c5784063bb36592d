"""The Transformer. Vaswani et al. 2017, Attention Is All You Need, arXiv:1706.03762, Table 3.

x = sqrt(d) E[token] + P;     attention(Q, K, V) = softmax(Q K^T / sqrt(d_k)) V in heads
encoder layer:   x = LN(x + attention(x, x, x));   x = LN(x + FFN(x)),   FFN(x) = max(0, x W_1 + b_1) W_2 + b_2
decoder layer:   x = LN(x + attention(x, x, x) of earlier places);   x = LN(x + attention(x, h, h));
                 x = LN(x + FFN(x));   logits = x E^T
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Bool, Float, Int

from dljax.nn import Dropout, attend, dense, stack
from dljax.nn.dense import rows_dot

PAD = 0  # the token that fills a row up
_xavier = nn.initializers.xavier_uniform()
KeyValue = tuple[Array, Array]  # each [b, s, k, d]


class Encoded(NamedTuple):
    """A source as the decoder sees it: keys and values of each of its layers, and True where there is a
    token [b, s].
    """

    memories: tuple[KeyValue, ...]
    mask: Array


class Written(NamedTuple):
    """Tokens written so far: their number in each row [b], keys and values of each layer."""

    seen: Array
    pasts: tuple[KeyValue, ...]


def positions(t: int, d: int) -> Float[Array, "t d"]:
    """Sinusoids, section 3.5: sin(p / 10000^(2i / d)) at 2i and the cosine at 2i + 1."""
    angles = jnp.arange(t)[:, None] / 10_000.0 ** (jnp.arange(0, d, 2) / d)[None]
    return jnp.stack([jnp.sin(angles), jnp.cos(angles)], -1).reshape(t, -1)[:, :d]


def learning_rate(step: Array | int, features: int, warmup: int) -> Array:
    """The rate of the step after ``step`` others: d^-1/2 min(n^-1/2, n warmup^-3/2). Equation 3."""
    n = jnp.asarray(step, jnp.float32) + 1
    return features**-0.5 * jnp.minimum(n**-0.5, n * warmup**-1.5)


class MultiHead(nn.Module):
    """Attention in heads; the kernels of queries, keys and values lie side by side."""

    features: int
    heads: int

    def setup(self):
        d = self.features
        # One matrix for the three, each drawn as a matrix of its own would be.
        init = nn.initializers.variance_scaling(2.0, "fan_avg", "uniform")
        self.kernel = self.param("kernel", init, (d, 3 * d))
        self.bias = self.param("bias", nn.initializers.zeros, (3 * d,))
        self.output = dense(d, kernel_init=_xavier)

    def _heads(self, x: Array, first: int, count: int) -> list[Array]:
        """Products with ``count`` of the three kernels, each in heads."""
        at = slice(first * self.features, (first + count) * self.features)
        kernel, bias = self.kernel[:, at].astype(x.dtype), self.bias[at].astype(x.dtype)
        y = rows_dot(x, kernel, (((x.ndim - 1,), (0,)), ((), ()))) + bias[None, None]
        parts = jnp.split(y, count, axis=-1)
        return [part.reshape(*part.shape[:2], self.heads, -1) for part in parts]

    def remember(self, x: Float[Array, "b s d"]) -> KeyValue:
        """Keys and values of ``x``."""
        key, value = self._heads(x, 1, 2)
        return key, value

    def __call__(
        self,
        x: Float[Array, "b t d"],
        memory: KeyValue | None = None,
        mask: Bool[Array, "b2 k2 t2 s"] | None = None,
        *,
        causal: bool = False,
    ) -> Float[Array, "b t d"]:
        """Read in a memory; in ``x`` itself without one."""
        if memory is None:
            query, key, value = self._heads(x, 0, 3)
        else:
            (query,), (key, value) = self._heads(x, 0, 1), memory
        if memory is not None and self.is_mutable_collection("intermediates"):
            scores = jnp.einsum("btkd,bskd->bkts", query, key) * query.shape[-1] ** -0.5
            scores = scores.astype(jnp.float32)
            scores = scores if mask is None else jnp.where(mask, scores, -jnp.inf)
            self.sow("intermediates", "attention", jax.nn.softmax(scores).mean(1))
        out = attend(query, key, value, mask, causal=causal)
        return self.output(out.reshape(x.shape))


class FeedForward(nn.Module):
    """Linear layer, ReLU, linear layer back. Section 3.3."""

    inner: int

    @nn.compact
    def __call__(self, x: Float[Array, "b t d"]) -> Float[Array, "b t d"]:
        y = jax.nn.relu(dense(self.inner, kernel_init=_xavier, name="linear1")(x))
        return dense(x.shape[-1], kernel_init=_xavier, name="linear2")(y)


class EncoderLayer(nn.Module):
    """Attention to all places, then the feed-forward net, each added to its input and normalized."""

    features: int
    heads: int
    inner: int
    dropout: float

    @nn.compact
    def __call__(
        self, x: Float[Array, "b s d"], mask: Bool[Array, "b 1 1 s"], *, train: bool
    ) -> Float[Array, "b s d"]:
        y = MultiHead(self.features, self.heads, name="self_attn")(x, mask=mask)
        y = Dropout(self.dropout, name="dropout1")(y, train=train)
        x = nn.LayerNorm(epsilon=1e-5, name="norm1")(x + y)
        y = FeedForward(self.inner, name="mlp")(x)
        y = Dropout(self.dropout, name="dropout2")(y, train=train)
        return nn.LayerNorm(epsilon=1e-5, name="norm2")(x + y)


class DecoderLayer(nn.Module):
    """Attention to earlier places, attention to the source, the feed-forward net."""

    features: int
    heads: int
    inner: int
    dropout: float

    def setup(self):
        self.self_attn = MultiHead(self.features, self.heads)
        self.cross_attn = MultiHead(self.features, self.heads)
        self.mlp = FeedForward(self.inner)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(epsilon=1e-5) for _ in range(3))
        self.dropout1, self.dropout2, self.dropout3 = (Dropout(self.dropout) for _ in range(3))

    def read(self, x: Float[Array, "b s d"]) -> KeyValue:
        """Keys and values of the encoder's output."""
        return self.cross_attn.remember(x)

    def __call__(
        self,
        x: Float[Array, "b t d"],
        memory: KeyValue,
        mask: Bool[Array, "b 1 1 s"],
        *,
        train: bool,
    ) -> Float[Array, "b t d"]:
        return self._rest(x, self.self_attn(x, causal=True), memory, mask, train)

    def step(
        self,
        x: Float[Array, "b 1 d"],
        count: Int[Array, "b"],
        past: KeyValue,
        memory: KeyValue,
        mask: Bool[Array, "b 1 1 s"],
    ) -> tuple[Float[Array, "b 1 d"], KeyValue]:
        """The layer at one place, after ``count`` others whose keys and values are in ``past``."""
        at = jnp.arange(past[0].shape[1])[None] == count[:, None]
        key, value = (
            jnp.where(at[:, :, None, None], new, old)
            for new, old in zip(self.self_attn.remember(x), past, strict=True)
        )
        seen = jnp.arange(key.shape[1])[None] <= count[:, None]
        y = self.self_attn(x, (key, value), seen[:, None, None])
        return self._rest(x, y, memory, mask, False), (key, value)

    def _rest(self, x: Array, y: Array, memory: KeyValue, mask: Array, train: bool) -> Array:
        x = self.norm1(x + self.dropout1(y, train=train))
        x = self.norm2(x + self.dropout2(self.cross_attn(x, memory, mask), train=train))
        return self.norm3(x + self.dropout3(self.mlp(x), train=train))


class Transformer(nn.Module):
    """Encoder and decoder with one vocabulary for both sides, the embedding's transpose as the head. Token
    0 fills rows up.

    Attributes:
        vocabulary: number of tokens.
        features, heads, inner: of the layers; ``inner`` is the width of the feed-forward net.
        layers: of the encoder and of the decoder.
        dropout: rate of the embeddings and of what is added to a layer's input.
    """

    vocabulary: int = 37_000
    features: int = 512
    layers: int = 6
    heads: int = 8
    inner: int = 2048
    dropout: float = 0.1

    def setup(self):
        sizes: dict[str, Any] = {
            "features": self.features,
            "heads": self.heads,
            "inner": self.inner,
            "dropout": self.dropout,
        }
        init = nn.initializers.normal(self.features**-0.5)
        self.embed = nn.Embed(self.vocabulary, self.features, embedding_init=init)
        self.dropout_embed = Dropout(self.dropout)
        self.encoder = [EncoderLayer(**sizes) for _ in range(self.layers)]
        self.decoder = [DecoderLayer(**sizes) for _ in range(self.layers)]

    def __call__(
        self, source: Int[Array, "b s"], target: Int[Array, "b t"], *, train: bool
    ) -> Float[Array, "b t v"]:
        """Logits for the token after each of ``target``, which begins with the token of the beginning."""
        encoded = self._encode(source, train)
        x = self._embedded(target, train)
        for layer, memory in zip(self.decoder, encoded.memories, strict=True):
            x = layer(x, memory, encoded.mask[:, None, None], train=train)
        return self.embed.attend(x)

    def start(self, source: Int[Array, "b s"], length: int) -> tuple[Encoded, Written]:
        """The source as encoded, and the decoder's memory before the first of ``length`` tokens."""
        encoded = self._encode(source, False)
        b, _, k, d = encoded.memories[0][0].shape
        empty = jnp.zeros((b, length, k, d), encoded.memories[0][0].dtype)
        return encoded, Written(jnp.zeros(b, jnp.int32), ((empty, empty),) * self.layers)

    def step(
        self, token: Int[Array, "b"], encoded: Encoded, written: Written
    ) -> tuple[Float[Array, "b v"], Written]:
        """Logits for the token after this one, and the memory with it."""
        places = positions(written.pasts[0][0].shape[1], self.features)[written.seen]
        x = self.embed(token) * self.features**0.5
        x = (x + places.astype(x.dtype))[:, None]
        pasts = []
        layers = zip(self.decoder, written.pasts, encoded.memories, strict=True)
        for layer, past, memory in layers:
            x, past = layer.step(x, written.seen, past, memory, encoded.mask[:, None, None])
            pasts.append(past)
        return self.embed.attend(x)[:, 0], Written(written.seen + 1, tuple(pasts))

    def _embedded(self, tokens: Int[Array, "b t"], train: bool) -> Float[Array, "b t d"]:
        x = self.embed(tokens) * self.features**0.5
        x = x + positions(tokens.shape[1], self.features).astype(x.dtype)[None]
        return self.dropout_embed(x, train=train)

    def encode(
        self, source: Int[Array, "b s"], *, train: bool
    ) -> tuple[Float[Array, "b s d"], Bool[Array, "b s"]]:
        """The encoder's output, and True where there is a token; without the decoder's parameters."""
        mask = source != PAD
        x = self._embedded(source, train)
        return stack(self.encoder, x, mask[:, None, None], train=train), mask

    def _encode(self, source: Int[Array, "b s"], train: bool) -> Encoded:
        x, mask = self.encode(source, train=train)
        return Encoded(tuple(layer.read(x) for layer in self.decoder), mask)


MODEL = Transformer
VARIANTS: dict[str, dict] = {
    "tiny": {"vocabulary": 17, "features": 8, "layers": 2, "heads": 2, "inner": 16},
    "base": {},
    "big": {"features": 1024, "heads": 16, "inner": 4096, "dropout": 0.3},
    # For short sentences (no published form).
    "small": {"features": 256, "layers": 3, "heads": 4, "inner": 512},
    "mini": {"features": 128, "layers": 2, "heads": 4, "inner": 256},
    "captions": {"features": 64, "layers": 2, "heads": 4, "inner": 128},
}
# Trainable, of the paper's 37,000 byte pairs shared by both languages, embedding and head one matrix, biases
# in all linear layers, no norm after the last layer; the paper rounds to 65M and 213M.
PUBLISHED = {"base": 63_082_496, "big": 214_245_376}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two pairs of 12 tokens each, of 6 and 5 for "tiny"."""
    sides = (6, 5) if variant == "tiny" else (12, 12)
    return {
        name: ShapeDtypeStruct((2, side), jnp.int32)
        for name, side in zip(("source", "target"), sides, strict=True)
    }
