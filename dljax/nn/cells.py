"""Recurrent cells: the arithmetic of one time. Their papers stand in the models' own files."""

import jax
import jax.numpy as jnp

from dljax.nn.recurrent import Cell, Memory


def lstm_step(memory: Memory, x: jax.Array, h: jax.Array) -> Memory:
    """(h_t, c_t) of an LSTM, the gates in torch's order i, f, g, o.

    c_t = sigmoid(f) * c_t-1 + sigmoid(i) * tanh(g),   h_t = sigmoid(o) * tanh(c_t)
    """
    i, f, g, o = jnp.split(x + h, 4, axis=-1)
    c = jax.nn.sigmoid(f) * memory[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def gru_step(memory: Memory, x: jax.Array, h: jax.Array) -> Memory:
    """(h_t,) of a GRU, the gates in torch's order r, z, n; Keras has z, r, n.

    h_t = (1 - sigmoid(z)) * tanh(n_x + sigmoid(r) * n_h) + sigmoid(z) * h_t-1
    """
    width = memory[0].shape[-1]
    r, z = jnp.split(jax.nn.sigmoid(x[:, : 2 * width] + h[:, : 2 * width]), 2, axis=-1)
    n = jnp.tanh(x[:, 2 * width :] + r * h[:, 2 * width :])
    return ((1 - z) * n + z * memory[0],)


# There is one bias, where torch and cuDNN add two; the GRU has two, as that of n's share of h is under
# the reset gate.
TANH = Cell(gates=1, memories=1, step=lambda memory, x, h: (jnp.tanh(x + h),))
RELU = Cell(gates=1, memories=1, step=lambda memory, x, h: (jax.nn.relu(x + h),))
LSTM = Cell(gates=4, memories=2, step=lstm_step)
GRU = Cell(gates=3, memories=1, step=gru_step, biases=2)
