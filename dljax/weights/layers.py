"""The entries of PyTorch's layers: ``here`` a module's path, ``there`` its name."""

from dljax.weights.mapping import Entry

CONV = (2, 3, 1, 0)  # [out, in, h, w] there, [h, w, in, out] here
DENSE = (1, 0)  # [out, in] there


def conv(here: str, there: str, bias: bool = True) -> list[Entry]:
    """Conv2d."""
    return _layer(here, there, "kernel", CONV, bias)


def dense(here: str, there: str, bias: bool = True) -> list[Entry]:
    """Linear."""
    return _layer(here, there, "kernel", DENSE, bias)


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


def embed(here: str, there: str) -> list[Entry]:
    """Embedding."""
    return [Entry(f"params/{here}/embedding", f"{there}.weight")]


def _layer(
    here: str, there: str, leaf: str, axes: tuple[int, ...] | None, bias: bool
) -> list[Entry]:
    weight = Entry(f"params/{here}/{leaf}", f"{there}.weight", axes)
    return [weight, Entry(f"params/{here}/bias", f"{there}.bias")] if bias else [weight]
