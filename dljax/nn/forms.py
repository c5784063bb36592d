"""The choice of form: which of several programs for one layer is compiled.

Accelerators take XLA's own. On CPU a form is chosen by shape alone, never by the number of threads or
devices, so a run that is resumed on the same machine goes on in the same forms. ``DLJAX_PLAIN=1`` in
the environment turns all of them off, to compare or to find a fault.

Forms differ from XLA's layers by rounding, and in three things besides: the gradient of a maximum that
occurs twice in a window or of a NaN there (``max_pool``), a NaN among logits (``first_maximum``), and an
infinite pixel, of which Winograd's transforms make NaN in every tile that it is a place of. Each form's own file says why it is fast, with figures.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

import jax
from jax import lax
from jaxtyping import Array, Float

Shape = Sequence[int]
Padding = tuple[tuple[int, int], tuple[int, int]]  # (top, bottom), (left, right)

_PLAIN = ContextVar("plain", default=False)


@contextmanager
def all_plain() -> Iterator[None]:
    """A context in which every layer is traced as XLA's own, to count or to name its operations.

    A jitted function that was traced before keeps its forms.
    """
    before = _PLAIN.set(True)
    try:
        yield
    finally:
        _PLAIN.reset(before)


def plain() -> bool:
    """True where every layer is to be XLA's own."""
    asked = _PLAIN.get() or os.environ.get("DLJAX_PLAIN", "") not in ("", "0")
    return asked or jax.default_backend() != "cpu"


def sides(
    padding: str | int | Padding,
    size: Shape,
    kernel: tuple[int, int],
    strides: tuple[int, int] = (1, 1),
) -> Padding:
    """Padding of an image of ``size`` [h, w], as ((top, bottom), (left, right))."""
    if isinstance(padding, int):
        return ((padding, padding), (padding, padding))
    if isinstance(padding, str):
        top, left = lax.padtype_to_pads(size, kernel, strides, padding)
        return ((top[0], top[1]), (left[0], left[1]))
    return padding


def hides(size: Shape, kernel: Shape, padding: Padding) -> bool:
    """True where an image of ``size`` [h, w], padded, is smaller than the kernel: of no output."""
    spans = zip(size, padding, kernel, strict=False)
    return any(s + sum(sides) < k for s, sides, k in spans)


def xla(
    x: Float[Array, "b h w c"],
    kernel: Float[Array, "p q c d"],
    padding: Padding,
    strides: tuple[int, int] = (1, 1),
) -> Float[Array, "b i j d"]:
    """XLA's own cross-correlation."""
    layout = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=layout)


# For so few places of a kernel, to transform it takes longer than its products: from 256 to 256 channels
# F(4, 3) takes 2.3 ms at one image of 8 x 8, the matrix product 0.6; at four times as many they are level.
_FEW = 256


def of_conv(
    x: Shape, kernel: Shape, strides: tuple[int, int] = (1, 1)
) -> Literal["xla", "matmul", "few channels", "winograd 4", "winograd 2", "strided 4", "strided 2"]:
    """The form of a convolution of ``x`` [b, h, w, c] with ``kernel`` [p, q, c, d]."""
    (b, h, w, c), (*size, _, d) = x, kernel
    if plain() or not b:
        return "xla"
    if strides == (1, 1) and 1 not in size and c <= 6 and d <= 16:
        # From 16 to 16 channels it takes 41 ms where XLA's takes 25 (32 images of 32 x 32).
        return "few channels"
    if size in ([1, 1], list(strides)) or (max(strides) <= 2 and c <= 3):
        return "matmul"
    if w == size[1] == 1 and strides == (1, 1):
        # Windows over time: from 300 to 100 channels, four times of 37 and 50 of them, 20 ms with their
        # gradients, where XLA's take 152 (one core).
        return "matmul"
    if strides == (1, 1) and size == [3, 3] and min(c, d) >= 32:
        if b * h * w <= _FEW and c * d >= 2**16:
            return "matmul"
        # Of small maps F(4, 3) computes more than there is; a large kernel, transformed, is four times
        # as large.
        return "winograd 2" if h * w <= 16 or c * d >= 2**18 else "winograd 4"
    if strides == (1, 1) and size == [5, 5] and c * d >= 3072 and b * h * w >= 8 * _FEW:
        # 48 to 64 channels, 4 images of 35 x 35, with both gradients: 12 ms, XLA's 22; 32 to 32: 12 and 8.
        return "winograd 2"
    if strides == (2, 2) and min(c, d) >= 16 and size == [3, 3]:
        return "matmul"
    if strides == (2, 2) and min(c, d) >= 16 and size == [4, 4]:
        if b * h * w <= 4 * _FEW:
            return "matmul"
        return "strided 2" if h * w <= 64 else "strided 4"
    return "xla"


def of_transposed(
    x: Shape, kernel: Shape, stride: int, padding: str | Padding
) -> Literal["xla", "one to many", "strided 4", "phases"]:
    """The form of a transposed convolution of ``x`` [b, h, w, c] with ``kernel`` [p, q, c, d]."""
    (b, h, w, _), size = x, list(kernel[:2])
    if plain():
        return "xla"
    from_one_pixel = padding == "VALID" and (h, w) == (1, 1) and min(size) >= stride
    if isinstance(padding, str) and size == [stride, stride] or from_one_pixel:
        return "one to many"
    known = size in ([3, 3], [4, 4]) and padding == "SAME"
    if stride == 2 and (known or size == [3, 3] and padding == ((1, 2), (1, 2))):
        return "phases" if h * w <= 16 or b * h * w <= _FEW else "strided 4"
    return "xla"


def of_depthwise() -> Literal["xla", "shifted"]:
    """The form of a depthwise convolution."""
    return "xla" if plain() else "shifted"


def of_pool(
    x: Shape, window: int, stride: int, padding: Padding
) -> Literal["xla", "tiles", "batch last", "windows"]:
    """The form of max-pooling of ``x`` [b, h, w, c]."""
    if plain() or hides(x[1:3], (window, window), padding):
        return "xla"
    if stride != window or padding != ((0, 0), (0, 0)):
        return "windows"
    return "batch last" if x[-1] <= 16 else "tiles"


def of_argmax() -> Literal["xla", "two loops"]:
    """The form of an argmax over the last axis."""
    return "xla" if plain() else "two loops"


def of_dense(x: Shape) -> Literal["xla", "matmul"]:
    """The form of a linear layer of ``x`` [..., c]."""
    return "xla" if plain() or len(x) == 2 else "matmul"
