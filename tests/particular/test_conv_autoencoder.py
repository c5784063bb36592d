"""The convolutional autoencoder beside the same layers in NumPy and SciPy."""

import jax
import numpy as np
from architectures import tiny
from scipy.signal import correlate2d

from dljax.models.autoencoders import conv_autoencoder


def convolved(x, layer, mode="same"):
    """Cross-correlation of [h, w, c] with each filter, summed over channels."""
    kernel, bias = (np.asarray(layer[name], np.float64) for name in ("kernel", "bias"))
    maps = [
        sum(correlate2d(x[..., c], kernel[..., c, d], mode) for c in range(x.shape[-1])) + bias[d]
        for d in range(kernel.shape[-1])
    ]
    return np.stack(maps, -1)


def halved(x):
    """The maximum of each square of two by two; an odd side has its last row alone."""
    n = -(-len(x) // 2)
    padded = np.full((2 * n, 2 * n, x.shape[-1]), -np.inf)
    padded[: len(x), : len(x)] = x
    return padded.reshape(n, 2, n, 2, -1).max((1, 3))


def test_layers_in_numpy():
    model, params, _, inputs = tiny(conv_autoencoder)
    out, code = jax.jit(lambda p: model.apply({"params": p}, **inputs, train=False))(params)
    x = np.asarray(inputs["image"][0], np.float64)
    for i, side in enumerate((14, 7, 4)):
        x = halved(np.maximum(convolved(x, params[f"encoder_{i}"]), 0))
        assert x.shape[:2] == (side, side)
    # float32 through three and seven layers of values near 1.
    np.testing.assert_allclose(code[0], x.ravel(), rtol=1e-5, atol=1e-5)
    for i, mode in enumerate(("same", "same", "valid")):
        x = np.maximum(convolved(x, params[f"decoder_{i}"], mode), 0)
        x = np.kron(x, np.ones((2, 2, 1)))
    np.testing.assert_allclose(out[0], convolved(x, params["decoder_3"]), rtol=1e-5, atol=1e-5)
