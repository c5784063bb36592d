"""ConvLSTM. Shi et al. 2015, Convolutional LSTM Network: A Machine Learning Approach for Precipitation
Nowcasting, arXiv:1506.04214, section 3.

    i = sigmoid(W_xi * X_t + W_hi * H_t-1 + w_ci C_t-1 + b_i),   f likewise
    C_t = f C_t-1 + i tanh(W_xc * X_t + W_hc * H_t-1 + b_c)
    o = sigmoid(W_xo * X_t + W_ho * H_t-1 + w_co C_t + b_o),     H_t = o tanh(C_t)
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Conv

Maps = tuple[Array, Array]  # H and C, each [b, h, w, hidden]


class ConvLSTMLayer(nn.Module):
    """A layer over time, on given maps or on none.

    Attributes:
        hidden: channels of H and C.
        outer: side of the kernel from inputs to the gates.
        inner: side of the kernel from H to the gates.
    """

    hidden: int
    outer: int
    inner: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "b t h w c"] | None, memory: Maps, steps: int
    ) -> tuple[Float[Array, "b t h w hidden"], Maps]:
        """H at all times, and the memory after the last.

        Args:
            x: inputs of ``steps`` times; None where the memory goes on by itself.
        """
        bias = self.param("bias", nn.initializers.zeros, (4 * self.hidden,))
        # One weight for each channel: those are the numbers of the paper's Table 1.
        peep = self.param("peephole", nn.initializers.zeros, (3, self.hidden))
        bias, peep = (w.astype(memory[0].dtype)[..., None, None, None, :] for w in (bias, peep))
        inner = Conv(4 * self.hidden, (self.inner,) * 2, use_bias=False, name="inner")
        shares = None
        if x is not None:  # of all times at once
            outer = Conv(4 * self.hidden, (self.outer,) * 2, use_bias=False, name="outer")
            flat = outer(x.reshape(-1, *x.shape[2:]))
            shares = flat.reshape(*x.shape[:2], *flat.shape[1:])
        (h, c), out = memory, []
        # A loop of Python: XLA has no fast gradient for convolutions in its own loops on CPU.
        for t in range(steps):
            gates = inner(h) + bias
            if shares is not None:
                gates = gates + shares[:, t]
            i, f, g, o = jnp.split(gates, 4, axis=-1)
            i, f = jax.nn.sigmoid(i + peep[0] * c), jax.nn.sigmoid(f + peep[1] * c)
            c = f * c + i * jnp.tanh(g)
            h = jax.nn.sigmoid(o + peep[2] * c) * jnp.tanh(c)
            out.append(h)
        return jnp.stack(out, 1), (h, c)


class ConvLSTM(nn.Module):
    """The encoding and forecasting network of the paper's Figure 3.

    Frames are cut in patches, which become channels. Layers read the past; each hands its memory to a layer
    of the forecaster, the deepest of which has no input; a 1x1 convolution on the outputs of all its layers makes
    the frames ahead.

    Attributes:
        widths: channels of the layers that read.
        outer, inner: sides of the kernels from inputs and from H.
        patch: side of the patches.
        ahead: number of frames that are foretold.
    """

    widths: tuple[int, ...] = (128, 64, 64)
    outer: int = 5
    inner: int = 5
    patch: int = 4
    ahead: int = 10

    @nn.compact
    def __call__(
        self, video: Float[Array, "b t h w c"], *, train: bool
    ) -> Float[Array, "b ahead h w c"]:
        """Logits of the pixels of the next frames."""
        b, t, height, width, c = video.shape
        p = self.patch
        x = video.reshape(b, t, height // p, p, width // p, p, c)
        x = x.transpose(0, 1, 2, 4, 3, 5, 6).reshape(b, t, height // p, width // p, p * p * c)
        memories = []
        for i, hidden in enumerate(self.widths):
            layer = ConvLSTMLayer(hidden, self.outer, self.inner, name=f"encoder{i}")
            zeros = jnp.zeros((b, *x.shape[2:4], hidden), x.dtype)
            x, memory = layer(x, (zeros, zeros), t)
            memories.append(memory)
        out: list[Array] = []
        for i in reversed(range(len(self.widths))):
            layer = ConvLSTMLayer(self.widths[i], self.outer, self.inner, name=f"forecaster{i}")
            below, _ = layer(out[-1] if out else None, memories[i], self.ahead)
            out.append(below)
        joined = jnp.concatenate(out, -1)
        joined = joined.reshape(-1, *joined.shape[2:])
        x = Conv(p * p * c, (1, 1), name="head")(joined)
        x = x.reshape(b, self.ahead, height // p, width // p, p, p, c)
        return x.transpose(0, 1, 2, 4, 3, 5, 6).reshape(b, self.ahead, height, width, c)


MODEL = ConvLSTM
VARIANTS: dict[str, dict] = {
    "tiny": {"widths": (3, 2), "outer": 3, "inner": 3, "patch": 2, "ahead": 2},
    "small": {"widths": (32,), "outer": 5, "inner": 5, "ahead": 5},
    "256": {"widths": (256,)},
    "128-128": {"widths": (128, 128)},
    "128-64-64": {},
    "9x9 128-128": {"widths": (128, 128), "outer": 9, "inner": 1},
    "9x9 128-64-64": {"outer": 9, "inner": 1},
}
# The paper's Table 1, on 64 x 64 frames of one channel.
PUBLISHED = {
    "256": 13_524_496,
    "128-128": 10_042_896,
    "128-64-64": 7_585_296,
    "9x9 128-128": 11_550_224,
    "9x9 128-64-64": 8_830_480,
}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two videos of 10 gray frames of 64 x 64; of 3 frames of 8 x 8 for "tiny"."""
    shape = (3, 8, 8, 1) if variant == "tiny" else (10, 64, 64, 1)
    return {"video": ShapeDtypeStruct((2, *shape), jnp.float32)}
