"""Recurrent layers have the outputs of torch's, in both directions and with sequences of different lengths,
and of Keras'; outputs there are stored by tests/parity/recurrent.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parity.cases import LENGTHS, sequences
from parity.recipe import weights
from parity_rows import GOLDEN

from dljax.nn import cells
from dljax.nn.recurrent import Both, Recurrent
from dljax.weights import from_variables, keras, layers, renamed, to_variables

CELLS = {"tanh": cells.TANH, "relu": cells.RELU, "lstm": cells.LSTM, "gru": cells.GRU}
STORED = np.load(GOLDEN / "recurrent.npz")
# float32 sums of at most 10 terms, through five times.
CLOSE = {"rtol": 2e-5, "atol": 2e-6}


def loaded(entries, module, *inputs):
    """The module's variables, of the recipe's weights under the names there."""
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), *inputs))
    zeros = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
    there = from_variables(entries, zeros)
    return to_variables(entries, weights({name: x.shape for name, x in there.items()}))


@pytest.mark.parametrize("kind", CELLS)
def test_both_directions_of_torch(kind):
    """Packed sequences there, a mask here; beyond a sequence's end torch has zeros."""
    cell = CELLS[kind]
    entries = [
        *layers.recurrent("forwards", "rnn", "l0", cell.biases),
        *layers.recurrent("backwards", "rnn", "l0_reverse", cell.biases),
    ]
    module, x = Both(6, cell), jnp.asarray(sequences())
    mask = (jnp.arange(5)[None] < jnp.array(LENGTHS)[:, None]).astype(jnp.float32)
    variables = loaded(renamed(entries, "rnn.", ""), module, x)
    out, memory = module.apply(variables, x, mask=mask)
    np.testing.assert_allclose(out * mask[..., None], STORED[f"{kind}_outputs"], **CLOSE)
    np.testing.assert_allclose(memory[0], STORED[f"{kind}_memory"], **CLOSE)


@pytest.mark.parametrize("kind, name", [("tanh", "simple_rnn"), ("lstm", "lstm")])
def test_layers_of_keras(kind, name):
    module, x = Recurrent(6, CELLS[kind]), jnp.asarray(sequences())
    entries = renamed(keras.recurrent("", name), f"{name}/", "")
    entries = [e._replace(path=e.path.replace("//", "/")) for e in entries]
    out, _ = module.apply(loaded(entries, module, x), x)
    np.testing.assert_allclose(out, STORED[f"keras_{kind}"], **CLOSE)


def test_the_gru_of_keras():
    """Its gates are z, r, n where ours are r, z, n; of its two rows of biases the second is of h."""
    there = weights({"kernel": (4, 18), "recurrent_kernel": (6, 18), "bias": (2, 18)})
    order = np.r_[6:12, 0:6, 12:18]
    params = {
        "w_x": there["kernel"][:, order],
        "w_h": there["recurrent_kernel"][:, order],
        "bias": there["bias"][0, order],
        "bias_h": there["bias"][1, order],
    }
    out, _ = Recurrent(6, cells.GRU).apply({"params": params}, jnp.asarray(sequences()))
    np.testing.assert_allclose(out, STORED["keras_gru"], **CLOSE)
