"""Layers at an equalized learning rate. Karras et al. 2018, Progressive Growing of GANs, arXiv:1710.10196,
section 4.1.

Kernels are drawn from N(0, 1), and He's constant, gain / sqrt(fan-in), is multiplied in at every use. An
optimizer whose steps are as large for every parameter (Adam) then moves every layer as fast for its scale.
"""

import math

import flax.linen as nn
from jaxtyping import Array, Float

from dljax.nn import forms
from dljax.nn.conv import conv

HE = math.sqrt(2)


class EqualizedConv(nn.Module):
    """Convolution of stride 1 that keeps the sides, with a bias, and with kernels times ``gain`` /
    sqrt(p q c) for p x q pixels and c input channels.

    Attributes:
        features: output channels.
        kernel_size: height and width.
        gain: He's for layers that a ReLU follows; 1 for the last ones.
    """

    features: int
    kernel_size: tuple[int, int] = (3, 3)
    gain: float = HE

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w d"]:
        shape = (*self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.normal(1.0), shape)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        scale = self.gain / math.sqrt(math.prod(shape[:-1]))
        sides = forms.sides("SAME", x.shape[1:3], self.kernel_size)
        return conv(x, kernel * scale, sides, bias=bias)


class EqualizedDense(nn.Module):
    """Product with a kernel times ``gain`` / sqrt(d), and a bias.

    Attributes:
        features: outputs.
        gain: He's for layers that a ReLU follows; 1 for the last ones.
        use_bias: add a bias.
    """

    features: int
    gain: float = HE
    use_bias: bool = True

    @nn.compact
    def __call__(self, x: Float[Array, "b d"]) -> Float[Array, "b e"]:
        shape = (x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.normal(1.0), shape).astype(x.dtype)
        out = x @ (kernel * (self.gain / math.sqrt(shape[0])))
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,))
            out = out + bias.astype(x.dtype)[None]
        return out
