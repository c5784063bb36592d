"""BERT. Devlin et al. 2018, Pre-training of Deep Bidirectional Transformers, arXiv:1810.04805, section 3;
its small sizes: Turc et al. 2019, arXiv:1908.08962, Table 1. RoBERTa: Liu et al. 2019, arXiv:1907.11692.

    x = LN(E[token] + P[position] + S[type]);   x = LN(x + attention(x));   x = LN(x + mlp(x))
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Bool, Float, Int

from dljax.errors import UserError
from dljax.nn import Dropout, attend, dense, stack

_INIT = nn.initializers.truncated_normal(0.02)


class Layer(nn.Module):
    """Attention and MLP, each added to its input and the sum normalized.

    Attributes:
        heads: of the attention.
        hidden: width of the MLP.
        dropout: rate at the attention's weights and at both additions.
        epsilon: of the norms.
    """

    heads: int
    hidden: int
    dropout: float
    epsilon: float

    @nn.compact
    def __call__(
        self, x: Float[Array, "b t d"], seen: Bool[Array, "b t"], *, train: bool
    ) -> Float[Array, "b t d"]:
        b, t, d = x.shape
        qkv = dense(3 * d, kernel_init=_INIT, name="qkv")(x)
        query, key, value = (
            part.reshape(b, t, self.heads, d // self.heads) for part in jnp.split(qkv, 3, axis=-1)
        )
        weights = Dropout(self.dropout, name="dropout_attention")
        mask = seen[:, None, None, :]
        y = attend(query, key, value, mask, dropout=weights, train=train).reshape(b, t, d)
        y = dense(d, kernel_init=_INIT, name="attention")(y)
        x = x + Dropout(self.dropout, name="dropout1")(y, train=train)
        x = nn.LayerNorm(epsilon=self.epsilon, name="norm1")(x)
        y = dense(self.hidden, kernel_init=_INIT, name="mlp1")(x)
        y = dense(d, kernel_init=_INIT, name="mlp2")(jax.nn.gelu(y, approximate=False))
        x = x + Dropout(self.dropout, name="dropout2")(y, train=train)
        return nn.LayerNorm(epsilon=self.epsilon, name="norm2")(x)


class Encoded(NamedTuple):
    """The last layer's output, which a head is given, with the network ``net`` that it belongs to.

    Attributes:
        hidden: [b, t, d].
        tokens: int32 [b, t].
        seen: bool [b, t], False where a token is padding.
    """

    hidden: Array
    tokens: Array
    seen: Array


class Pooler(nn.Module):
    """tanh of a linear layer on the first token: the network as it is without a task."""

    @nn.compact
    def __call__(self, x: Encoded, net: Any, *, train: bool) -> Float[Array, "b d"]:
        first = x.hidden[:, 0]
        return jnp.tanh(nn.Dense(first.shape[-1], kernel_init=_INIT, name="dense")(first))


class MaskedLM(nn.Module):
    """Logits for the token at each place, by the embedding's transpose. Section 3.1, task 1."""

    @nn.compact
    def __call__(self, x: Encoded, net: Any, *, train: bool) -> Float[Array, "b t v"]:
        y = dense(x.hidden.shape[-1], kernel_init=_INIT, name="dense")(x.hidden)
        y = nn.LayerNorm(epsilon=net.epsilon, name="norm")(jax.nn.gelu(y, approximate=False))
        bias = self.param("bias", nn.initializers.zeros, (net.vocabulary,))
        return net.embed.attend(y) + bias.astype(y.dtype)[None, None]


class PreTraining(nn.Module):
    """Logits for the masked tokens, and whether the second text followed the first. Section 3.1."""

    @nn.compact
    def __call__(
        self, x: Encoded, net: Any, *, train: bool
    ) -> tuple[Float[Array, "b t v"], Float[Array, "b 2"]]:
        pooled = Pooler(name="pooler")(x, net, train=train)
        follows = nn.Dense(2, kernel_init=_INIT, name="next")(pooled)
        return MaskedLM(name="masked")(x, net, train=train), follows


class Classifier(nn.Module):
    """Logits of a class for the whole text, from the pooled first token. Section 4.1."""

    classes: int
    dropout: float = 0.1

    @nn.compact
    def __call__(self, x: Encoded, net: Any, *, train: bool) -> Float[Array, "b classes"]:
        pooled = Pooler(name="pooler")(x, net, train=train)
        pooled = Dropout(self.dropout, name="dropout")(pooled, train=train)
        return nn.Dense(self.classes, kernel_init=_INIT, name="output")(pooled)


class Tagger(nn.Module):
    """Logits of a class for every token. Section 5.3."""

    classes: int
    dropout: float = 0.1

    @nn.compact
    def __call__(self, x: Encoded, net: Any, *, train: bool) -> Float[Array, "b t classes"]:
        hidden = Dropout(self.dropout, name="dropout")(x.hidden, train=train)
        return dense(self.classes, kernel_init=_INIT, name="output")(hidden)


class Spans(nn.Module):
    """Scores of each token as the first, and as the last of the answer. Section 4.2."""

    @nn.compact
    def __call__(self, x: Encoded, net: Any, *, train: bool) -> Float[Array, "b 2 t"]:
        return dense(2, kernel_init=_INIT, name="output")(x.hidden).swapaxes(1, 2)


class Relations(nn.Module):
    """Logits of the relation of two marked entities, from the outputs at the markers before them. Baldini
    Soares et al. 2019, arXiv:1906.03158, section 3.2, "entity markers, entity start".

    Attributes:
        markers: the two tokens [E1] and [E2]; each is in every text.
    """

    classes: int
    markers: tuple[int, int]
    dropout: float = 0.1

    @nn.compact
    def __call__(self, x: Encoded, net: Any, *, train: bool) -> Float[Array, "b classes"]:
        places = [jnp.argmax(x.tokens == marker, axis=1) for marker in self.markers]
        at = [jnp.take_along_axis(x.hidden, place[:, None, None], 1)[:, 0] for place in places]
        both = Dropout(self.dropout, name="dropout")(jnp.concatenate(at, -1), train=train)
        return nn.Dense(self.classes, kernel_init=_INIT, name="output")(both)


class BERT(nn.Module):
    """Post-norm encoder with learned positions and a head.

    Attributes:
        vocabulary: number of tokens.
        features, layers, heads, hidden: of the layers; ``hidden`` is the MLP's width.
        positions: rows of the table of positions.
        offset: the first of them that is used (RoBERTa's table has two in front).
        types: number of token types.
        padding: the token that fills up a row, and that no other looks at.
        dropout: rate after the embeddings and in the layers.
        epsilon: of the norms.
        head: a module of this file, or another called as they are.
    """

    vocabulary: int = 30_522
    features: int = 768
    layers: int = 12
    heads: int = 12
    hidden: int = 3072
    positions: int = 512
    offset: int = 0
    types: int = 2
    padding: int = 0
    dropout: float = 0.1
    epsilon: float = 1e-12
    head: nn.Module = Pooler()

    def setup(self):
        def table(rows: int) -> nn.Embed:
            return nn.Embed(rows, self.features, embedding_init=_INIT)

        self.embed = table(self.vocabulary)
        self.embed_position = table(self.positions)
        self.embed_type = table(self.types)
        self.norm = nn.LayerNorm(epsilon=self.epsilon)
        self.drop = Dropout(self.dropout)
        layer = (self.heads, self.hidden, self.dropout, self.epsilon)
        self.layer = [Layer(*layer) for _ in range(self.layers)]

    def encode(
        self,
        tokens: Int[Array, "b t"],
        types: Int[Array, "b t"] | None = None,
        *,
        train: bool,
    ) -> Encoded:
        """The last layer's output.

        Args:
            tokens: rows of different lengths are filled up at their ends, with ``padding``.
            types: of the tokens, 0 for the first text and 1 for the second; 0 by default.
        """
        t = tokens.shape[1]
        if t > self.positions - self.offset:
            raise UserError(f"{t} tokens do not fit {self.positions - self.offset} positions")
        seen = tokens != self.padding
        kinds = jnp.zeros_like(tokens) if types is None else types
        x = self.embed(tokens) + self.embed_position(self.offset + jnp.arange(t))[None]
        x = self.drop(self.norm(x + self.embed_type(kinds)), train=train)
        return Encoded(stack(self.layer, x, seen, train=train), tokens, seen)

    def __call__(
        self,
        tokens: Int[Array, "b t"],
        types: Int[Array, "b t"] | None = None,
        *,
        train: bool,
    ) -> Any:
        """The head's output."""
        return self.head(self.encode(tokens, types, train=train), self, train=train)


def _size(layers: int, features: int, **rest: Any) -> dict[str, Any]:
    """A row of Turc et al.'s table: a head for 64 features, an MLP four times as wide."""
    row = {"layers": layers, "features": features, "heads": features // 64}
    return {**row, "hidden": 4 * features, **rest}


# Its positions begin after two rows, of padding and of what comes before it; one type, of every token.
_ROBERTA = {
    "vocabulary": 50_265,
    "positions": 514,
    "offset": 2,
    "types": 1,
    "padding": 1,
    "epsilon": 1e-5,
}
MODEL = BERT
VARIANTS: dict[str, dict] = {
    "tiny": {
        "vocabulary": 17,
        "features": 8,
        "layers": 2,
        "heads": 2,
        "hidden": 32,
        "positions": 24,
    },
    "bert-tiny": _size(2, 128),
    "bert-mini": _size(4, 256),
    "bert-small": _size(4, 512),
    "bert-medium": _size(8, 512),
    "bert-base": _size(12, 768),
    "bert-large": _size(24, 1024),
    "bert-base-cased": _size(12, 768, vocabulary=28_996),  # and BioBERT
    "scibert": _size(12, 768, vocabulary=31_090),
    "minilm-l6": _size(6, 384, heads=12),
    "roberta-base": _size(12, 768, **_ROBERTA),
    "roberta-large": _size(24, 1024, **_ROBERTA),
}
# Trainable, with the pooler: transformers' BertModel and RobertaModel.
PUBLISHED = {
    "bert-tiny": 4_385_920,
    "bert-mini": 11_170_560,
    "bert-small": 28_763_648,
    "bert-medium": 41_373_184,
    "bert-base": 109_482_240,
    "bert-large": 335_141_888,
    "bert-base-cased": 108_310_272,
    "scibert": 109_918_464,
    "minilm-l6": 22_713_216,
    "roberta-base": 124_645_632,
    "roberta-large": 355_359_744,
}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two pairs of texts of 128 tokens, 16 for "tiny"."""
    spec = ShapeDtypeStruct((2, 16 if variant == "tiny" else 128), jnp.int32)
    return {"tokens": spec, "types": spec}
