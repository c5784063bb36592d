"""Bidirectional LSTM that classifies sentences. Graves & Schmidhuber 2005, doi:10.1016/j.neunet.2005.06.042; at
the widths of Tai et al. 2015, arXiv:1503.00075, Table 1.
"""

import flax.linen as nn
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float, Int

from dljax.nn import Dropout, cells
from dljax.nn.recurrent import Both
from dljax.nn.token_model import uniform


class BiLSTM(nn.Module):
    """Words as vectors, LSTM layers in both directions, and logits of what both have after reading all.

    The token 0 fills sentences up, and is not read.

    Attributes:
        vocabulary: number of tokens, 0 included.
        classes: number of classes.
        features: length of a word's vector.
        hidden: width of each direction.
        layers: number of layers.
        dropout: of the words' vectors, of what passes from layer to layer, and before the head.
    """

    vocabulary: int = 16_186
    classes: int = 2
    features: int = 300
    hidden: int = 168
    layers: int = 1
    dropout: float = 0.5

    @nn.compact
    def __call__(self, tokens: Int[Array, "b t"], *, train: bool) -> Float[Array, "b classes"]:
        words = (tokens > 0).astype(jnp.float32)
        init = uniform(0.25)
        x = nn.Embed(self.vocabulary, self.features, embedding_init=init, name="embed")(tokens)
        x = Dropout(self.dropout, name="dropout_embed")(x, train=train)
        for i in range(self.layers):
            x, memory = Both(self.hidden, cells.LSTM, name=f"lstm{i}")(x, mask=words)
            last = i == self.layers - 1
            out = memory[0] if last else x
            x = Dropout(self.dropout, name=f"dropout{i}")(out, train=train)
        return nn.Dense(self.classes, name="head")(x)


MODEL = BiLSTM
VARIANTS: dict[str, dict] = {
    "tiny": {"vocabulary": 17, "features": 4, "hidden": 3, "layers": 2},
    "168": {},
    "120x2": {"hidden": 120, "layers": 2},
}
# Computed for SST-2's vocabulary: v d + 2 x 4 h (d + h + 1), and 2 x 4 h (3 h + 1) of a second layer, and
# (2 h + 1) 2. The paper counts one direction with two biases, 315,840, as its two directions share them.
PUBLISHED = {
    "168": 5_486_810,
    "120x2": 5_607_002,
}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two sentences of 8 tokens."""
    return {"tokens": ShapeDtypeStruct((2, 8), jnp.int32)}
