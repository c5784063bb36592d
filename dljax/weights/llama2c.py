"""The files of Karpathy's llama2.c in its first format ("legacy export", version 0).

Seven int32: features, hidden, layers, heads, groups, vocabulary (negative where the head is no copy of
the embedding), context. Then float32 without names: the embedding; of all layers the attention's norms,
wq, wk, wv, wo, the MLP's norms, w1, w2, w3; the last norm; two tables of the rotation; the head, if any.
"""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dljax.errors import UserError

_HEADER = 28  # bytes
_MOST = 2**20  # of each number of the header: far above every model's, so that products stay small


class Llama2c(NamedTuple):
    """The contents of a file.

    Attributes:
        config: arguments of ``dljax.models.transformers.llama.Llama``.
        arrays: float32 by Meta's names (``llama.meta_entries``), mapped from the disk and not to be
            written to.
    """

    config: dict[str, int | bool]
    arrays: dict[str, np.ndarray]


def _config(start: bytes) -> dict[str, int | bool] | None:
    """The numbers of a header; None where it is none."""
    names = ("features", "hidden", "layers", "heads", "groups", "vocabulary", "context")
    if len(start) < _HEADER:
        return None
    numbers = np.frombuffer(start[:_HEADER], "<i4").tolist()
    config: dict[str, int | bool] = dict(zip(names, map(abs, numbers), strict=True))
    signed = min(numbers[:5] + numbers[6:]) > 0 and numbers[5] != 0
    if not signed or max(config.values()) > _MOST:
        return None
    if config["features"] % config["heads"] or config["heads"] % config["groups"]:
        return None
    return {**config, "tied": numbers[5] > 0}


def _shapes(config: dict[str, int | bool]) -> list[tuple[str, tuple[int, ...]]]:
    """Names and shapes in the order of the file; "*" stands for every layer's number."""
    d, hidden, layers = (config[name] for name in ("features", "hidden", "layers"))
    heads, groups = config["heads"], config["groups"]
    narrow, table = d // heads * groups, (config["context"], d // heads // 2)
    of_layers = {
        "attention_norm": (d,),
        "attention.wq": (d, d),
        "attention.wk": (narrow, d),
        "attention.wv": (narrow, d),
        "attention.wo": (d, d),
        "ffn_norm": (d,),
        "feed_forward.w1": (hidden, d),
        "feed_forward.w2": (d, hidden),
        "feed_forward.w3": (hidden, d),
    }
    found: list[tuple[str, tuple[int, ...]]] = [
        ("tok_embeddings.weight", (config["vocabulary"], d)),
        *((f"layers.*.{name}.weight", (layers, *shape)) for name, shape in of_layers.items()),
        ("norm.weight", (d,)),
        ("", table),
        ("", table),
    ]
    return found if config["tied"] else [*found, ("output.weight", (config["vocabulary"], d))]


def fits(start: bytes, size: int) -> bool:
    """True where a file of ``size`` bytes that begins with ``start`` has the length that its header says."""
    config = _config(start)
    if config is None:
        return False
    return size == _HEADER + 4 * sum(math.prod(shape) for _, shape in _shapes(config))


def read(file: str | Path) -> Llama2c:
    """The sizes and arrays of a file.

    Raises:
        UserError: it cannot be read, or is not of this format.
    """
    file = Path(file)
    try:
        with file.open("rb") as stream:
            start = stream.read(_HEADER)
        if not fits(start, file.stat().st_size):
            raise UserError(
                f"{file} is no model of llama2.c's first format: expected seven whole numbers, and as many "
                "weights as they say; export it anew with --version0"
            )
        numbers = np.memmap(file, "<f4", "r", offset=_HEADER)
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror or error}") from None
    config = _config(start)
    assert config is not None
    arrays: dict[str, np.ndarray] = {}
    at = 0
    for name, shape in _shapes(config):
        part = numbers[at : (at := at + math.prod(shape))].reshape(shape)
        if "*" in name:
            arrays |= {name.replace("*", str(i)): layer for i, layer in enumerate(part)}
        elif name:
            arrays[name] = part
    return Llama2c(config, arrays)
