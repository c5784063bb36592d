"""LSTM language model. Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735; as in
Zaremba et al. 2014, Recurrent Neural Network Regularization, arXiv:1409.2329, section 3.

    i, f, o = sigmoid(W_x x_t + W_h h_t-1 + b),   g = tanh(W_x x_t + W_h h_t-1 + b)
    c_t = f * c_t-1 + i * g,   h_t = o * tanh(c_t)
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float, Int

from dljax.nn import Dropout, dense


def _uniform(scale: float) -> nn.initializers.Initializer:
    def init(key, shape, dtype=jnp.float32):
        return jax.random.uniform(key, shape, dtype, -scale, scale)

    return init


class LSTMLayer(nn.Module):
    """LSTM layer over time, its gates in torch's order i, f, g, o.

    The inputs' share of the gates is one product for all times; only ``h W_h`` is in the loop. There is
    one bias, where torch and cuDNN add two.
    """

    hidden: int
    init_scale: float

    @nn.compact
    def __call__(
        self, x: Float[Array, "b t d"], *, decode: bool = False
    ) -> Float[Array, "b t hidden"]:
        uniform = _uniform(self.init_scale)
        w_x = self.param("w_x", uniform, (x.shape[-1], 4 * self.hidden)).astype(x.dtype)
        w_h = self.param("w_h", uniform, (self.hidden, 4 * self.hidden)).astype(x.dtype)
        bias = self.param("bias", uniform, (4 * self.hidden,)).astype(x.dtype)

        def step(carry, gates):
            h, c = carry
            i, f, g, o = jnp.split(gates + h @ w_h, 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zeros = jnp.zeros((x.shape[0], self.hidden), x.dtype)
        carry = (zeros, zeros)
        if decode:
            kept = self.variable("cache", "carry", lambda: (zeros, zeros))
            carry = kept.value
        gates = x @ w_x + bias[None, None]
        carry, out = jax.lax.scan(step, carry, jnp.swapaxes(gates, 0, 1))
        if decode:
            kept.value = carry
        return jnp.swapaxes(out, 0, 1)


class LSTM(nn.Module):
    """Embedding, LSTM layers, logits; dropout between layers, never between times.

    Attributes:
        vocabulary: number of tokens.
        hidden: width of the embedding and of every layer.
        layers: number of LSTM layers.
        dropout: rate after the embedding and after each layer.
        init_scale: bound of the uniform draws from which weights and biases begin.
    """

    vocabulary: int = 10_000
    hidden: int = 200
    layers: int = 2
    dropout: float = 0.0
    init_scale: float = 0.1

    @nn.compact
    def __call__(
        self, tokens: Int[Array, "b t"], *, train: bool, decode: bool = False
    ) -> Float[Array, "b t v"]:
        """Logits for the token after each.

        Args:
            decode: begin at the state in the collection "cache" instead of zero, and leave it there.
        """
        uniform = _uniform(self.init_scale)
        x = nn.Embed(self.vocabulary, self.hidden, embedding_init=uniform, name="embed")(tokens)
        x = Dropout(self.dropout, name="dropout_embed")(x, train=train)
        for i in range(self.layers):
            x = LSTMLayer(self.hidden, self.init_scale, name=f"lstm{i}")(x, decode=decode)
            x = Dropout(self.dropout, name=f"dropout{i}")(x, train=train)
        head = dense(self.vocabulary, kernel_init=uniform, bias_init=uniform, name="head")
        return head(x)


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
