"""Recurrent forecaster: a vanilla net (Elman 1990, doi:10.1207/s15516709cog1402_1), LSTM (Hochreiter &
Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735) or GRU (Cho et al. 2014, arXiv:1406.1078) on the past of a
series, its last output made into the future by a linear layer.
"""

import flax.linen as nn
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Dropout, cells
from dljax.nn.recurrent import Cell, Recurrent


class Series(nn.Module):
    """Recurrent layers, and a linear layer on the last time.

    Attributes:
        cell: of the layers.
        outputs: numbers that are made of the sequence.
        hidden: width of the layers.
        layers: number of them.
        dropout: after each.
    """

    cell: Cell = cells.LSTM
    outputs: int = 1
    hidden: int = 64
    layers: int = 1
    dropout: float = 0.0

    @nn.compact
    def __call__(self, series: Float[Array, "b t c"], *, train: bool) -> Float[Array, "b outputs"]:
        x = series
        for i in range(self.layers):
            x, _ = Recurrent(self.hidden, self.cell, name=f"layer{i}")(x)
            x = Dropout(self.dropout, name=f"dropout{i}")(x, train=train)
        return nn.Dense(self.outputs, name="head")(x[:, -1])


MODEL = Series
VARIANTS: dict[str, dict] = {
    "tiny": {"hidden": 5, "layers": 2, "outputs": 3},
    "rnn": {"cell": cells.TANH},
    "lstm": {},
    "gru": {"cell": cells.GRU},
}
# Computed for one channel: g h (1 + h + biases) + h + 1, of g gates.
PUBLISHED = {"rnn": 4_289, "lstm": 16_961, "gru": 12_929}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two series of 24 times and one channel."""
    return {"series": ShapeDtypeStruct((2, 24, 1), jnp.float32)}
