"""Xception as timm's ``legacy_xception``, and as Keras' ``applications.Xception``."""

from collections.abc import Iterator
from typing import Any

from dljax.weights import keras, layers
from dljax.weights.mapping import Entry


def _blocks(model: Any) -> Iterator[tuple[str, int, bool]]:
    """Each block's name here, its separable convolutions, and whether it pools; in order."""
    yield from ((f"entry{i}", 2, True) for i in range(len(model.entry)))
    yield from ((f"middle{i}", 3, False) for i in range(model.middle))
    yield "exit", 2, True


def _separable(here: str, there: str) -> list[Entry]:
    depthwise = layers.conv(f"{here}/depthwise", f"{there}.conv1", bias=False)
    return depthwise + layers.conv(f"{here}/pointwise", f"{there}.pointwise", bias=False)


def entries(model: Any) -> list[Entry]:
    """The map for timm's names."""
    conv, norm = layers.conv, layers.batch_norm
    out = []
    for i in (1, 2):
        out += conv(f"conv{i}", f"conv{i}", bias=False) + norm(f"bn{i}", f"bn{i}")
    for number, (here, count, pools) in enumerate(_blocks(model), 1):
        there = f"block{number}"
        for i in range(1, count + 1):
            # In a row there: ReLU, separable convolution, BatchNorm; the first block has no ReLU before.
            place = 3 * (i - 1) + (number > 1)
            out += _separable(f"{here}/sepconv{i}", f"{there}.rep.{place}")
            out += norm(f"{here}/bn{i}", f"{there}.rep.{place + 1}")
        if pools:
            out += conv(f"{here}/skip", f"{there}.skip", bias=False)
            out += norm(f"{here}/skip_bn", f"{there}.skipbn")
    for i in (3, 4):
        out += _separable(f"sepconv{i}", f"conv{i}") + norm(f"bn{i}", f"bn{i}")
    return out + layers.dense("output", "fc")


def keras_entries(model: Any) -> list[Entry]:
    """The map for Keras' names (see ``dljax.weights.keras``)."""
    out = []
    for i in (1, 2):
        out += keras.conv(f"conv{i}", f"block1_conv{i}", bias=False)
        out += keras.batch_norm(f"bn{i}", f"block1_conv{i}_bn")
    shortcuts = 0
    for number, (here, count, pools) in enumerate(_blocks(model), 2):
        for i in range(1, count + 1):
            there = f"block{number}_sepconv{i}"
            out += keras.separable(f"{here}/sepconv{i}", there)
            out += keras.batch_norm(f"{here}/bn{i}", f"{there}_bn")
        if pools:
            out += keras.conv(f"{here}/skip", keras.numbered("conv2d", shortcuts), bias=False)
            there = keras.numbered("batch_normalization", shortcuts)
            out += keras.batch_norm(f"{here}/skip_bn", there)
            shortcuts += 1
    number = len(model.entry) + model.middle + 3
    for i in (3, 4):
        there = f"block{number}_sepconv{i - 2}"
        out += keras.separable(f"sepconv{i}", there)
        out += keras.batch_norm(f"bn{i}", f"{there}_bn")
    return out + keras.dense("output", "predictions")
