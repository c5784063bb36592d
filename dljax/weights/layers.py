"""The entries of PyTorch's layers: ``here`` a module's path, ``there`` its name."""

import math

import numpy as np

from dljax.weights.mapping import Entry, Join

CONV = (2, 3, 1, 0)  # [out, in, h, w] there, [h, w, in, out] here
DENSE = (1, 0)  # [out, in] there


def conv(here: str, there: str, bias: bool = True) -> list[Entry]:
    """Conv2d."""
    return _layer(here, there, "kernel", CONV, bias)


_TURNED = Join(lambda k: k[..., ::-1, ::-1], lambda k: (k[..., ::-1, ::-1],))


def conv_transpose(here: str, there: str, bias: bool = True) -> list[Entry]:
    """ConvTranspose2d: [in, out, h, w] there, turned round along both sides (docs/CONVENTIONS.md)."""
    weight = Entry(f"params/{here}/kernel", f"{there}.weight", (2, 3, 0, 1), _TURNED)
    return [weight, Entry(f"params/{here}/bias", f"{there}.bias")] if bias else [weight]


def dense(here: str, there: str, bias: bool = True) -> list[Entry]:
    """Linear."""
    return _layer(here, there, "kernel", DENSE, bias)


def flattened(here: str, there: str, channels: int) -> list[Entry]:
    """Linear after a flattened square map of ``channels``, which come first there and last here."""

    def merge(kernel: np.ndarray) -> np.ndarray:
        side = math.isqrt(kernel.shape[1] // channels)
        maps = kernel.reshape(len(kernel), channels, side, side)
        return maps.transpose(2, 3, 1, 0).reshape(-1, len(kernel))

    def split(kernel: np.ndarray) -> tuple[np.ndarray]:
        rows, out = kernel.shape
        side = math.isqrt(rows // channels)
        maps = kernel.reshape(side, side, channels, out)
        return (maps.transpose(3, 2, 0, 1).reshape(out, rows),)

    weight = Entry(f"params/{here}/kernel", f"{there}.weight", join=Join(merge, split))
    return [weight, Entry(f"params/{here}/bias", f"{there}.bias")]


def norm(here: str, there: str, bias: bool = True) -> list[Entry]:
    """LayerNorm or GroupNorm."""
    return _layer(here, there, "scale", None, bias)


def batch_norm(here: str, there: str) -> list[Entry]:
    """BatchNorm; its count of batches has no counterpart."""
    return [
        *norm(here, there),
        Entry(f"batch_stats/{here}/mean", f"{there}.running_mean"),
        Entry(f"batch_stats/{here}/var", f"{there}.running_var"),
        Entry("", f"{there}.num_batches_tracked"),
    ]


def depthwise(here: str, there: str) -> list[Entry]:
    """Conv2d with a group for each channel, without bias: [c, 1, h, w] there, [h, w, 1, c] here."""
    return [Entry(f"params/{here}/kernel", f"{there}.weight", CONV)]


def embed(here: str, there: str) -> list[Entry]:
    """Embedding."""
    return [Entry(f"params/{here}/embedding", f"{there}.weight")]


def _layer(
    here: str, there: str, leaf: str, axes: tuple[int, ...] | None, bias: bool
) -> list[Entry]:
    weight = Entry(f"params/{here}/{leaf}", f"{there}.weight", axes)
    return [weight, Entry(f"params/{here}/bias", f"{there}.bias")] if bias else [weight]


# Two biases that are added wherever they are used; back, the first has all of it.
_ADDED = Join(np.add, lambda bias: (bias, np.zeros_like(bias)))


def recurrent(here: str, there: str, layer: str, biases: int = 1) -> list[Entry]:
    """One layer of RNN, LSTM or GRU, whose gates lie as ours.

    Args:
        layer: "l0", or "l0_reverse".
        biases: 2 for the GRU, 1 where the two there are one here.
    """
    first, second = (f"{there}.bias_{kind}_{layer}" for kind in ("ih", "hh"))
    weights = [
        Entry(f"params/{here}/w_x", f"{there}.weight_ih_{layer}", DENSE),
        Entry(f"params/{here}/w_h", f"{there}.weight_hh_{layer}", DENSE),
    ]
    if biases == 1:
        return [*weights, Entry(f"params/{here}/bias", (first, second), join=_ADDED)]
    return [
        *weights,
        Entry(f"params/{here}/bias", first),
        Entry(f"params/{here}/bias_h", second),
    ]
