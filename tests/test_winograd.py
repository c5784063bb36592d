"""Winograd's convolutions beside float64 and NumPy."""

import jax
import numpy as np
import pytest

from dljax.nn.winograd import transforms, winograd

SAME, VALID = ((1, 1), (1, 1)), ((0, 0), (0, 0))


@pytest.mark.parametrize("m, r", [(4, 3), (2, 3), (4, 2), (2, 2), (2, 5)])
def test_transforms_are_a_correlation(m, r):
    """A'((G w) * (B' x)) in float64, beside NumPy's own."""
    a, g, b = transforms(m, r)
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=m + r - 1), rng.normal(size=r)
    np.testing.assert_allclose(a @ ((g @ kernel) * (b @ x)), np.correlate(x, kernel), rtol=1e-12)


def in_float64(x, kernel, padding, weight):
    """The value of a convolution and both gradients against ``weight``, by NumPy."""
    p, q, *_ = kernel.shape
    x = np.pad(np.asarray(x, np.float64), ((0, 0), *padding, (0, 0)))
    kernel = np.asarray(kernel, np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(x, (p, q), (1, 2))  # [b, i, j, c, p, q]
    out = np.einsum("bijcpq,pqcd->bijd", windows, kernel, optimize=True)
    to_kernel = np.einsum("bijcpq,bijd->pqcd", windows, weight, optimize=True)
    around = np.pad(weight, ((0, 0), (p - 1, p - 1), (q - 1, q - 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(around, (p, q), (1, 2))
    to_x = np.einsum("bijdpq,pqcd->bijc", windows, kernel[::-1, ::-1], optimize=True)
    (top, bottom), (left, right) = padding
    return out, to_x[:, top : to_x.shape[1] - bottom, left : to_x.shape[2] - right], to_kernel


@pytest.mark.parametrize(
    "shape, features, padding, m, r",
    [
        ((2, 32, 32, 64), 64, SAME, 4, 3),  # ResNet-18's four stages
        ((2, 16, 16, 128), 128, SAME, 4, 3),
        ((2, 8, 8, 256), 256, SAME, 4, 3),
        ((2, 4, 4, 512), 512, SAME, 2, 3),
        ((1, 16, 16, 512), 256, SAME, 4, 3),  # DDPM's and the U-Net's ways up, where two maps meet
        ((1, 64, 64, 64), 64, VALID, 4, 3),  # the U-Net's first, as in the paper
        ((1, 37, 29, 48), 40, SAME, 4, 3),
        ((1, 37, 29, 48), 40, VALID, 4, 3),
        ((1, 17, 17, 256), 128, VALID, 4, 2),  # DCGAN's 4 x 4 with stride 2, in blocks of 2 x 2
        ((1, 9, 9, 512), 256, VALID, 4, 2),
        ((1, 14, 11, 48), 40, SAME, 4, 2),
        ((1, 27, 27, 64), 192, ((2, 2), (2, 2)), 2, 5),  # AlexNet's second
        ((1, 35, 35, 48), 64, ((2, 2), (2, 2)), 2, 5),  # Inception v3's
    ],
)
def test_winograd_beside_float64(shape, features, padding, m, r):
    """The largest error over the largest value: at these shapes 2.9e-6 at most, and 5.3e-6 to 7.6e-6
    with the points 0, 1, -1, 2, -2, which these are to be told from."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape).astype(np.float32)
    kernel = (rng.normal(size=(r, r, shape[-1], features)) / 24).astype(np.float32)

    @jax.jit
    def pulled(x, kernel, weight):
        out, pull = jax.vjp(lambda x, k: winograd(x, k, padding, m), x, kernel)
        return out, *pull(weight)

    size = [s + sum(sides) - r + 1 for s, sides in zip(shape[1:3], padding, strict=True)]
    weight = rng.normal(size=(shape[0], *size, features)).astype(np.float32)
    wanted = in_float64(x, kernel, padding, weight.astype(np.float64))
    for ours, exact in zip(pulled(x, kernel, weight), wanted, strict=True):
        assert np.abs(ours - exact).max() < 5e-6 * np.abs(exact).max()
