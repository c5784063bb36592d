"""Layers of a few channels, with the batch as the last axis.

A processor adds and multiplies eight or sixteen neighbors at once. With six channels last, as LeNet
has them, most of that is idle; with the batch last, [c, h, w, b], it is always full, and patches are
slices of whole rows. Layers that follow each other hand on this order: XLA takes the transpositions
between them out.
LeNet-5's step at batch 128, on two cores of an AMD EPYC (Zen 4): 18 ms -> 9.0.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from dljax.nn.forms import Padding


def few_channels(
    x: Float[Array, "b h w c"],
    kernel: Float[Array, "p q c d"],
    padding: Padding,
    bias: Float[Array, " d"] | None = None,
) -> Float[Array, "b i j d"]:
    """Cross-correlation with stride 1, one product of the kernel and all patches.

    A row of ones is added to the patches, and the bias to the kernel as its factor. So the bias's gradient
    is part of the same product; alone it is a sum along rows, which XLA runs as a scalar loop.
    """
    return batch_last(lambda x: _conv(x, kernel, padding, bias), x)


def batch_last(layer: Callable[[Array], Array], x: Array) -> Array:
    """``layer`` of x [b, h, w, c] as [c, h, w, b], its output back in the order of x."""
    return layer(x.transpose(3, 1, 2, 0)).transpose(3, 1, 2, 0)


def _conv(x: Array, kernel: Array, padding: Padding, bias: Array | None) -> Array:
    p, q, c, d = kernel.shape
    x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    h, w = x.shape[1] - p + 1, x.shape[2] - q + 1
    # Along one side, then along the other: p + q copies of slices, where at once there are p q.
    x = jnp.concatenate([x[:, :, j : j + w] for j in range(q)])
    slices = [x[:, i : i + h] for i in range(p)]
    rows = kernel.reshape(p * q * c, d)
    if bias is not None:
        slices.append(jnp.ones_like(slices[0][:1]))
        rows = jnp.concatenate([rows, bias[None]])
    # As one matrix: only of a product of two matrices does XLA compute the gradient without transposing
    # its result. So several devices, which share out the batch, gather it here.
    patches = jnp.concatenate(slices).reshape(len(rows), -1)
    out = lax.dot_general(rows, patches, (((0,), (0,)), ((), ())))
    return out.reshape(d, h, w, -1)
