"""The entries of Keras' layers: ``here`` a module's path, ``there`` the layer's name.

Keras' variables have a path, "conv2d_1/kernel"; where Keras is, this writes a file of them that
``weights.load`` reads:

    np.savez("weights.npz", **{v.path: v.numpy() for v in model.weights})

Layers without a name of their own are numbered from the start of the process or from
``keras.utils.clear_session()``: call that before the model is built.
"""

from dljax.weights.mapping import Entry


def numbered(kind: str, index: int) -> str:
    """The name of the layer of a kind that is built after ``index`` others: "conv2d", "conv2d_1"."""
    return f"{kind}_{index}" if index else kind


def conv(here: str, there: str, bias: bool = True) -> list[Entry]:
    """Conv2D, whose layout is ours."""
    kernel = Entry(f"params/{here}/kernel", f"{there}/kernel")
    return [kernel, Entry(f"params/{here}/bias", f"{there}/bias")] if bias else [kernel]


def dense(here: str, there: str) -> list[Entry]:
    """Dense."""
    return conv(here, there)


def separable(here: str, there: str) -> list[Entry]:
    """SeparableConv2D: [h, w, c, 1] and [1, 1, c, out] there."""
    return [
        Entry(f"params/{here}/depthwise/kernel", f"{there}/depthwise_kernel", (0, 1, 3, 2)),
        Entry(f"params/{here}/pointwise/kernel", f"{there}/pointwise_kernel"),
    ]


def batch_norm(here: str, there: str, scale: bool = True) -> list[Entry]:
    """BatchNormalization, perhaps without its scale."""
    out = [Entry(f"params/{here}/scale", f"{there}/gamma")] if scale else []
    return [
        *out,
        Entry(f"params/{here}/bias", f"{there}/beta"),
        Entry(f"batch_stats/{here}/mean", f"{there}/moving_mean"),
        Entry(f"batch_stats/{here}/var", f"{there}/moving_variance"),
    ]


def recurrent(here: str, there: str) -> list[Entry]:
    """SimpleRNN or LSTM, whose gates lie as ours."""
    return [
        Entry(f"params/{here}/w_x", f"{there}/kernel"),
        Entry(f"params/{here}/w_h", f"{there}/recurrent_kernel"),
        Entry(f"params/{here}/bias", f"{there}/bias"),
    ]
