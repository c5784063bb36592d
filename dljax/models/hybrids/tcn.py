"""Temporal convolutional network. Bai et al. 2018, An Empirical Evaluation of Generic Convolutional and
Recurrent Networks for Sequence Modeling, arXiv:1803.01271, section 3.

    F(t) = sum_i f(i) x_t-d i,   f = g v / |v|,   block(x) = ReLU(x + F2(F1(x)))
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Dropout, dense


class CausalConv(nn.Module):
    """A dilated convolution of the present and the past, its kernel with weight normalization (Salimans &
    Kingma 2016, arXiv:1602.07868).

    Attributes:
        features: output channels.
        kernel: number of times that are seen.
        dilation: steps between them.
    """

    features: int
    kernel: int
    dilation: int

    @nn.compact
    def __call__(self, x: Float[Array, "b t c"]) -> Float[Array, "b t features"]:
        k, d, t = self.kernel, self.dilation, x.shape[1]
        v = self.param(
            "kernel", nn.initializers.he_uniform(), (k, x.shape[-1], self.features)
        )  # its first is the oldest time

        def length(v: Array) -> Array:
            return jnp.sqrt(jnp.sum(v * v, (0, 1)))

        g = self.param("scale", lambda key: length(v))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        w = v * (g / length(v))[None, None]
        past = jnp.pad(x, ((0, 0), (d * (k - 1), 0), (0, 0)))
        # As one product: of dilated convolutions XLA's gradients on CPU are slow.
        times = jnp.concatenate([past[:, i * d : i * d + t] for i in range(k)], -1)
        flat = times.reshape(-1, times.shape[-1]) @ w.reshape(-1, self.features).astype(x.dtype)
        return flat.reshape(*x.shape[:2], -1) + bias.astype(x.dtype)[None, None]


class TCN(nn.Module):
    """Blocks of two causal convolutions whose dilation doubles, and a linear layer on the last time.

    Attributes:
        channels: of the series.
        outputs: numbers that are made of the sequence; logits, or a forecast.
        widths: channels of each block.
        kernel: number of times that each convolution sees.
        dropout: after each.
    """

    channels: int = 1
    outputs: int = 10
    widths: tuple[int, ...] = (25,) * 8
    kernel: int = 7
    dropout: float = 0.0

    @nn.compact
    def __call__(self, series: Float[Array, "b t c"], *, train: bool) -> Float[Array, "b outputs"]:
        x, channels = series, self.channels
        for i, width in enumerate(self.widths):
            before = x
            for j in (1, 2):
                x = jax.nn.relu(CausalConv(width, self.kernel, 2**i, name=f"block{i}_conv{j}")(x))
                x = Dropout(self.dropout, name=f"block{i}_dropout{j}")(x, train=train)
            if channels != width:
                before = dense(width, name=f"block{i}_skip")(before)
            x, channels = jax.nn.relu(x + before), width
        return nn.Dense(self.outputs, name="head")(x[:, -1])

    @property
    def sees(self) -> int:
        """Number of times that reach the last output."""
        return 1 + 2 * (self.kernel - 1) * (2 ** len(self.widths) - 1)


MODEL = TCN
VARIANTS: dict[str, dict] = {
    "tiny": {"outputs": 3, "widths": (4, 5), "kernel": 2},
    "mnist": {},  # the paper's sequential MNIST: 784 pixels one by one
    "series": {"outputs": 1, "widths": (32,) * 5, "kernel": 3},
}
# Computed from the authors' program (github.com/locuslab/TCN), a length for each filter; the paper says about
# 70,000.
PUBLISHED = {"mnist": 66_910}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two sequences of one channel: of 784 times, of 8 for "tiny"."""
    return {"series": ShapeDtypeStruct((2, 8 if variant == "tiny" else 784, 1), jnp.float32)}
