"""Sequence to sequence with recurrent cells: without attention (Sutskever et al. 2014, arXiv:1409.3215),
with additive attention (Bahdanau et al. 2014, arXiv:1409.0473) and with multiplicative attention (Luong et
al. 2015, arXiv:1508.04025, section 3.1). y are the tokens written, h_j the encoder's outputs.

    none:            s_t = cell(s_t-1, y_t-1),         s_0 = the encoder's memory,       logits = W s_t
    additive:        a_t = softmax_j(v . tanh(W s_t-1 + U h_j)),   c_t = sum_j a_tj h_j,
                     s_t = cell(s_t-1, [y_t-1, c_t]),  logits = W maxout(s_t, y_t-1, c_t)
    multiplicative:  s_t as with none,   a_t = softmax_j(s_t . W h_j),   c_t = sum_j a_tj h_j,
                     logits = W tanh(W_c [c_t, s_t])
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float, Int

from dljax.nn import Dropout, cells, dense
from dljax.nn.recurrent import Both, Cell, Memory, Recurrent
from dljax.nn.token_model import uniform

PAD = 0  # the token that fills a row up
Memories = tuple[Memory, ...]  # of each layer


class Encoded(NamedTuple):
    """A source as the decoder sees it: outputs [b, s, h], and 1 where there is a token [b, s]."""

    outputs: Array
    mask: Array


def weigh(scores: Float[Array, "*b s"], mask: Float[Array, "*b s"]) -> Float[Array, "*b s"]:
    """The softmax of scores over the places where there is a token, in float32."""
    scores = jnp.where(mask > 0, scores.astype(jnp.float32), -1e30)
    return jax.nn.softmax(scores, axis=-1)


class Stack(nn.Module):
    """Layers that read from the last token to the first (Sutskever et al., section 3.3); the memories of
    all begin the decoder's.
    """

    vocabulary: int
    features: int
    hidden: int
    layers: int
    cell: Cell
    dropout: float
    draw: Callable[..., Array]

    @nn.compact
    def __call__(self, source: Int[Array, "b s"], *, train: bool) -> tuple[Encoded, Memories]:
        mask = (source != PAD).astype(jnp.float32)
        x = nn.Embed(self.vocabulary, self.features, embedding_init=self.draw, name="embed")(source)
        memories = []
        for i in range(self.layers):
            x = Dropout(self.dropout, name=f"dropout{i}")(x, train=train)
            layer = Recurrent(
                self.hidden, self.cell, self.draw, self.draw, reverse=True, name=f"layer{i}"
            )
            x, memory = layer(x, mask=mask)
            memories.append(memory)
        return Encoded(x, mask), tuple(memories)


class TwoWays(nn.Module):
    """One layer in each direction; the decoder begins at a layer's output of the backwards one (Bahdanau
    et al., appendix A.2.2).
    """

    vocabulary: int
    features: int
    hidden: int
    layers: int
    cell: Cell
    dropout: float
    draw: Callable[..., Array]

    @nn.compact
    def __call__(self, source: Int[Array, "b s"], *, train: bool) -> tuple[Encoded, Memories]:
        mask = (source != PAD).astype(jnp.float32)
        x = nn.Embed(self.vocabulary, self.features, embedding_init=self.draw, name="embed")(source)
        x = Dropout(self.dropout, name="dropout")(x, train=train)
        x, memory = Both(self.hidden, self.cell, self.draw, self.draw, name="layer")(x, mask=mask)
        begin = dense(self.hidden, kernel_init=self.draw, bias_init=self.draw, name="begin")
        first = jnp.tanh(begin(memory[0][:, self.hidden :]))
        rest = (jnp.zeros_like(first),) * (self.cell.memories - 1)
        return Encoded(x, mask), ((first, *rest),)


class General(nn.Module):
    """Multiplicative attention: the score "general" of Luong et al., equation 8, and equation 5.

    Their input feeding, by which each time also sees what the last one attended to, is left out: without
    it, all times are one product.
    """

    draw: Callable[..., Array]

    @nn.compact
    def __call__(self, x: Float[Array, "b t h"], encoded: Encoded) -> Float[Array, "b t h"]:
        h = x.shape[-1]
        keys = dense(h, use_bias=False, kernel_init=self.draw, name="score")(encoded.outputs)
        scores = jnp.einsum("bth,bsh->bts", x, keys)
        weights = weigh(scores, jnp.broadcast_to(encoded.mask[:, None], scores.shape))
        self.sow("intermediates", "attention", weights)
        context = jnp.einsum("bts,bsh->bth", weights.astype(x.dtype), encoded.outputs)
        both = jnp.concatenate([context, x], -1)
        return jnp.tanh(dense(h, use_bias=False, kernel_init=self.draw, name="join")(both))


class Decoder(nn.Module):
    """Layers that begin at the encoder's memories; perhaps they attend to its outputs at their end.

    Attributes:
        attention: called as ``attention(draw=, name=)(x, encoded)``; None for none.
    """

    vocabulary: int
    features: int
    hidden: int
    cell: Cell
    dropout: float
    draw: Callable[..., Array]
    attention: Callable[..., nn.Module] | None = None

    @nn.compact
    def __call__(
        self, tokens: Int[Array, "b t"], encoded: Encoded, memories: Memories, *, train: bool
    ) -> tuple[Float[Array, "b t v"], Memories]:
        x = nn.Embed(self.vocabulary, self.features, embedding_init=self.draw, name="embed")(tokens)
        after = []
        for i, memory in enumerate(memories):
            x = Dropout(self.dropout, name=f"dropout{i}")(x, train=train)
            layer = Recurrent(self.hidden, self.cell, self.draw, self.draw, name=f"layer{i}")
            x, last = layer(x, memory=memory)
            after.append(last)
        if self.attention is not None:
            x = self.attention(draw=self.draw, name="attention")(x, encoded)
        x = Dropout(self.dropout, name="dropout")(x, train=train)
        head = dense(self.vocabulary, kernel_init=self.draw, bias_init=self.draw, name="head")
        return head(x), tuple(after)


class AdditiveDecoder(nn.Module):
    """One layer that attends to the source before each of its times (Bahdanau et al., appendix A.2.2).

    The paper's "deep output" is a maxout of half as many features as the layer has. It reads s_t, as the
    paper's equation 4; the appendix has s_t-1.
    """

    vocabulary: int
    features: int
    hidden: int
    cell: Cell
    dropout: float
    draw: Callable[..., Array]

    @nn.compact
    def __call__(
        self, tokens: Int[Array, "b t"], encoded: Encoded, memories: Memories, *, train: bool
    ) -> tuple[Float[Array, "b t v"], Memories]:
        (memory,), (outputs, mask) = memories, encoded
        h, wide, deep = self.hidden, self.cell.gates * self.hidden, outputs.shape[-1]
        y = nn.Embed(self.vocabulary, self.features, embedding_init=self.draw, name="embed")(tokens)
        y = Dropout(self.dropout, name="dropout_embed")(y, train=train)

        def weight(name: str, *shape: int) -> Array:
            return self.param(name, self.draw, shape).astype(y.dtype)

        w, u, v = weight("w", h, h), weight("u", deep, h), weight("v", h, 1)
        w_x, w_h = weight("w_x", self.features + deep, wide), weight("w_h", h, wide)
        w_y, w_c = w_x[: self.features], w_x[self.features :]
        bias = weight("bias", wide)
        bias_h = weight("bias_h", wide)[None] if self.cell.biases == 2 else None
        keys, shares = outputs @ u, y @ w_y + bias[None, None]

        def step(memory: Memory, share: Array) -> tuple[Memory, tuple[Array, Array, Array]]:
            scores = (jnp.tanh((memory[0] @ w)[:, None] + keys) @ v)[..., 0]
            weights = weigh(scores, mask)
            context = jnp.einsum("bs,bsd->bd", weights.astype(y.dtype), outputs)
            product = memory[0] @ w_h
            product = product if bias_h is None else product + bias_h
            memory = self.cell.step(memory, share + context @ w_c, product)
            return memory, (memory[0], context, weights)

        last, found = jax.lax.scan(step, memory, shares.swapaxes(0, 1))
        states, contexts, weights = (x.swapaxes(0, 1) for x in found)
        self.sow("intermediates", "attention", weights)
        read = dense(2 * (h // 2), kernel_init=self.draw, bias_init=self.draw, name="read")
        x = read(jnp.concatenate([states, y, contexts], -1))
        x = x.reshape(*x.shape[:-1], -1, 2).max(-1)
        x = Dropout(self.dropout, name="dropout")(x, train=train)
        head = dense(self.vocabulary, kernel_init=self.draw, bias_init=self.draw, name="head")
        return head(x), (last,)


class Seq2Seq(nn.Module):
    """Encoder and decoder, as the rows of the table pair them. Token 0 fills sources up.

    Attributes:
        reader, writer: the encoder, the decoder.
        source_vocabulary, vocabulary: numbers of tokens read and written.
        features, hidden: widths of the embeddings and of the layers.
        layers: of each; ``TwoWays`` and ``AdditiveDecoder`` have one.
        dropout: rate between layers, never between times.
        init_scale: bound of the uniform draws from which weights and biases begin.
    """

    source_vocabulary: int
    vocabulary: int
    features: int
    hidden: int
    layers: int = 1
    cell: Cell = cells.LSTM
    reader: Callable[..., nn.Module] = Stack
    writer: Callable[..., nn.Module] = Decoder
    dropout: float = 0.0
    init_scale: float = 0.08

    def setup(self):
        shared: dict[str, Any] = {
            "features": self.features,
            "hidden": self.hidden,
            "cell": self.cell,
            "dropout": self.dropout,
            "draw": uniform(self.init_scale),
        }
        self.encoder = self.reader(self.source_vocabulary, layers=self.layers, **shared)
        self.decoder = self.writer(self.vocabulary, **shared)

    def __call__(
        self, source: Int[Array, "b s"], target: Int[Array, "b t"], *, train: bool
    ) -> Float[Array, "b t v"]:
        """Logits for the token after each of ``target``, which begins with the token of the beginning."""
        return self.decoder(target, *self.encoder(source, train=train), train=train)[0]

    @property
    def attends(self) -> bool:
        """True where the decoder attends to the encoder's outputs."""
        return self.writer is not Decoder

    def start(self, source: Int[Array, "b s"], length: int) -> tuple[Encoded, Memories]:
        """The source as encoded, and the decoder's memory before the first of ``length`` tokens."""
        return self.encoder(source, train=False)

    def step(
        self, token: Int[Array, "b"], encoded: Encoded, memories: Memories
    ) -> tuple[Float[Array, "b v"], Memories]:
        """Logits for the token after this one, and the memory with it."""
        logits, memories = self.decoder(token[:, None], encoded, memories, train=False)
        return logits[:, 0], memories


_ADDITIVE = {"reader": TwoWays, "writer": AdditiveDecoder, "cell": cells.GRU}
_GENERAL = {"writer": partial(Decoder, attention=General)}
_TINY = {"source_vocabulary": 13, "vocabulary": 11, "features": 6, "hidden": 8}
_SMALL = {"source_vocabulary": 96, "vocabulary": 96, "features": 128, "hidden": 256}
MODEL = Seq2Seq
VARIANTS: dict[str, dict] = {
    "tiny": {**_TINY, **_ADDITIVE},
    "tiny-plain": {**_TINY, "layers": 2},
    "tiny-multiplicative": {**_TINY, **_GENERAL, "layers": 2},
    # Section 3.4 of Sutskever et al.: four layers of 1000.
    "sutskever": {
        "source_vocabulary": 160_000,
        "vocabulary": 80_000,
        "features": 1000,
        "hidden": 1000,
        "layers": 4,
    },
    # Appendix B of Bahdanau et al.; its recurrent matrices begin orthogonal and are here uniform.
    "bahdanau": {
        "source_vocabulary": 30_000,
        "vocabulary": 30_000,
        "features": 620,
        "hidden": 1000,
        **_ADDITIVE,
    },
    # Section 4.1 of Luong et al.
    "luong": {
        "source_vocabulary": 50_000,
        "vocabulary": 50_000,
        "features": 1000,
        "hidden": 1000,
        "layers": 4,
        "dropout": 0.2,
        "init_scale": 0.1,
        **_GENERAL,
    },
    # For short sentences; the vocabularies are the data's.
    "plain": _SMALL,
    "additive": {**_SMALL, **_ADDITIVE},
    "multiplicative": {**_SMALL, **_GENERAL},
    # Of Keras' addition_rnn, with embeddings in place of one-hot characters and a decoder that reads its own
    # last character.
    "addition": {"source_vocabulary": 15, "vocabulary": 14, "features": 32, "hidden": 128},
}
# Trainable; computed, with one bias for the LSTM's gates and two for the GRU's.
# sutskever: (160 + 80) M embeddings, 8 layers of 4000 (2000 + 1), head 80,000 x 1001; the paper has 384M.
# bahdanau: 2 x 30,000 x 620; 2 x 3000 (620 + 1000 + 2) encoder; 1000 x 1001 begin; 1000 (1000 + 2000 + 1)
#   attention; 3000 (620 + 2000 + 1000 + 2) decoder; 1000 (3620 + 1) read; 30,000 x 501 head.
# luong: 2 x 50 M; 8 layers; 1000 x 1000 score, 1000 x 2000 join, head 50,000 x 1001.
PUBLISHED = {"sutskever": 384_112_000, "bahdanau": 80_451_000, "luong": 217_082_000}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two pairs of 12 tokens each, of 6 and 5 for the tiny ones."""
    sides = (6, 5) if variant.startswith("tiny") else (12, 12)
    return {
        name: ShapeDtypeStruct((2, side), jnp.int32)
        for name, side in zip(("source", "target"), sides, strict=True)
    }
