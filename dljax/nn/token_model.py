"""A model of tokens on recurrent layers."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dljax.axes import ROWS
from dljax.nn.dense import dense
from dljax.nn.dropout import Dropout
from dljax.nn.recurrent import Cell, Recurrent


def uniform(scale: float) -> nn.initializers.Initializer:
    """Initializer that draws uniformly between ``-scale`` and ``scale``."""

    def init(key, shape, dtype=jnp.float32):
        return jax.random.uniform(key, shape, dtype, -scale, scale)

    return init


class TokenModel(nn.Module):
    """Embedding, recurrent layers, logits; dropout between layers, never between times. Zaremba et al.
    2014, arXiv:1409.2329, section 3.

    Attributes:
        cell: of the layers.
        kind: with which their names begin.
        vocabulary: number of tokens.
        hidden: width of the embedding and of every layer.
        layers: number of recurrent layers.
        dropout: rate after the embedding and after each layer.
        init_scale: bound of the uniform draws from which weights and biases begin.
        remember: in training, begin each window at the memory that the window before it left, in the
            collection ``axes.ROWS`` (truncated backpropagation through time).
    """

    cell: Cell
    kind: str
    vocabulary: int = 10_000
    hidden: int = 200
    layers: int = 2
    dropout: float = 0.0
    init_scale: float = 0.1
    remember: bool = False

    @nn.compact
    def __call__(
        self,
        tokens: Int[Array, "b t"],
        fresh: Float[Array, " b"] | None = None,
        *,
        train: bool,
        decode: bool = False,
    ) -> Float[Array, "b t v"]:
        """Logits for the token after each.

        Args:
            fresh: 1 for a row that begins another text, whose memory begins at zero.
            decode: begin at the memory in the collection "cache" instead of zero, and leave it there.
        """
        keep = "cache" if decode else ""
        if self.remember and (train or self.is_initializing()):
            keep = ROWS
        init = uniform(self.init_scale)
        x = nn.Embed(self.vocabulary, self.hidden, embedding_init=init, name="embed")(tokens)
        x = Dropout(self.dropout, name="dropout_embed")(x, train=train)
        for i in range(self.layers):
            name = f"{self.kind}{i}"
            layer = Recurrent(self.hidden, self.cell, init, init, keep=keep, name=name)
            x, _ = layer(x, fresh=fresh)
            x = Dropout(self.dropout, name=f"dropout{i}")(x, train=train)
        return dense(self.vocabulary, kernel_init=init, bias_init=init, name="head")(x)
