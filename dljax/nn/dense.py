"""The linear layer, in a form that is fast on CPU."""

from typing import Any

import flax.linen as nn
from jax import lax

from dljax.nn import forms
from dljax.types import Array


def rows_dot(x: Array, kernel: Array, dimensions: Any, **options: Any) -> Array:
    """``lax.dot_general`` over the last axis of ``x``, to be given to ``nn.Dense``.

    On CPU as one product of two matrices. With more axes, XLA lays out the gradient of the output
    transposed for the kernel's gradient, and computes the operation before it (GELU's derivative, say)
    a second time along that order: ten times the arithmetic's own time.
    """
    if forms.of_dense(x.shape) == "xla":
        return lax.dot_general(x, kernel, dimensions, **options)
    flat = x.reshape(-1, x.shape[-1])
    out = lax.dot_general(flat, kernel, (((1,), (0,)), ((), ())), **options)
    return out.reshape(*x.shape[:-1], kernel.shape[-1])


def dense(features: int, **options: Any) -> nn.Dense:
    """``nn.Dense``, the same parameters and values, for inputs of three axes and more."""
    return nn.Dense(features, dot_general=rows_dot, **options)
