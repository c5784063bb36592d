"""LSTM language model. Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735; as in
Zaremba et al. 2014, Recurrent Neural Network Regularization, arXiv:1409.2329, section 3.

    i, f, o = sigmoid(W_x x_t + W_h h_t-1 + b),   g = tanh(W_x x_t + W_h h_t-1 + b)
    c_t = f * c_t-1 + i * g,   h_t = o * tanh(c_t)
"""

import jax.numpy as jnp
from jax import ShapeDtypeStruct

from dljax.nn import cells
from dljax.nn.recurrent import Cell
from dljax.nn.token_model import TokenModel


class LSTM(TokenModel):
    """The token model whose layers are LSTM layers."""

    cell: Cell = cells.LSTM
    kind: str = "lstm"


MODEL = LSTM
VARIANTS: dict[str, dict] = {
    "tiny": {"vocabulary": 17, "hidden": 8, "layers": 2},
    "small": {},
    "medium": {"hidden": 650, "dropout": 0.5, "init_scale": 0.05},
    "large": {"hidden": 1500, "dropout": 0.65, "init_scale": 0.04},
    "char": {"vocabulary": 96, "hidden": 256, "layers": 2, "init_scale": 0.08},
}
# Trainable, one bias per gate, the head not tied; computed: v h + l 4 h (2 h + 1) + (h + 1) v.
# With torch's two biases each layer has 4 h more: 4,653,200 / 19,780,400 / 66,034,000.
PUBLISHED = {"small": 4_651_600, "medium": 19_775_200, "large": 66_022_000}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two windows of 35 tokens, 6 for "tiny"."""
    return {"tokens": ShapeDtypeStruct((2, 6 if variant == "tiny" else 35), jnp.int32)}
