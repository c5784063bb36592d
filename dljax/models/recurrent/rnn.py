"""Vanilla recurrent net. Elman 1990, Finding Structure in Time, doi:10.1207/s15516709cog1402_1; with ReLU and
the identity as its start in Le et al. 2015, arXiv:1504.00941.

    h_t = tanh(W_x x_t + W_h h_t-1 + b)
"""

import jax.numpy as jnp
from jax import ShapeDtypeStruct

from dljax.nn import cells
from dljax.nn.recurrent import Cell
from dljax.nn.token_model import TokenModel


class RNN(TokenModel):
    """The token model whose layers are vanilla recurrent layers."""

    cell: Cell = cells.TANH
    kind: str = "rnn"


MODEL = RNN
VARIANTS: dict[str, dict] = {
    "tiny": {"vocabulary": 17, "hidden": 8, "layers": 2},
    "tanh": {},
    "relu": {"cell": cells.RELU, "init_scale": 0.03},
    "char": {"vocabulary": 96, "hidden": 256, "layers": 2, "init_scale": 0.08},
}
# Trainable, one bias, the head not tied; computed: v h + l h (2 h + 1) + (h + 1) v. With torch's two biases each
# layer has h more.
PUBLISHED = {"tanh": 4_170_400, "relu": 4_170_400}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two windows of 35 tokens, 6 for "tiny"."""
    return {"tokens": ShapeDtypeStruct((2, 6 if variant == "tiny" else 35), jnp.int32)}
