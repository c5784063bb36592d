"""GRU language model. Cho et al. 2014, arXiv:1406.1078, section 2.3, with the reset gate after the product, as
in cuDNN, torch and Keras.

    r, z = sigmoid(W_x x_t + b_x + W_h h_t-1 + b_h),   n = tanh(W_x x_t + b_x + r * (W_h h_t-1 + b_h))
    h_t = (1 - z) * n + z * h_t-1
"""

import jax.numpy as jnp
from jax import ShapeDtypeStruct

from dljax.nn import cells
from dljax.nn.recurrent import Cell
from dljax.nn.token_model import TokenModel


class GRU(TokenModel):
    """The token model whose layers are GRU layers."""

    cell: Cell = cells.GRU
    kind: str = "gru"


MODEL = GRU
VARIANTS: dict[str, dict] = {
    "tiny": {"vocabulary": 17, "hidden": 8, "layers": 2},
    "small": {},
    "char": {"vocabulary": 96, "hidden": 256, "layers": 2, "init_scale": 0.08},
}
# Trainable, two biases as in torch and Keras, the head not tied; computed: v h + l 6 h (h + 1) + (h + 1) v.
PUBLISHED = {"small": 4_492_400}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two windows of 35 tokens, 6 for "tiny"."""
    return {"tokens": ShapeDtypeStruct((2, 6 if variant == "tiny" else 35), jnp.int32)}
