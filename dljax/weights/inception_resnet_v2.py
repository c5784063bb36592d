"""Inception-ResNet v2 as timm's ``inception_resnet_v2``, and as Keras' ``applications.InceptionResNetV2``."""

from typing import Any

from dljax.weights import keras, layers
from dljax.weights.mapping import Entry

STEM = ("1a", "2a", "2b", "3b", "4a")
# Number of convolutions in a row, for each branch of a module.
MIXED = (1, 2, 3, 1)
A = (1, 2, 3)
REDUCTION_A = (1, 3)
B = C = (1, 3)
REDUCTION_B = (2, 2, 3)


def _branches(here: str, there: str, lengths: tuple[int, ...]) -> list[tuple[str, str]]:
    """Convolutions of a module; a branch of one is no sequence there."""
    out = []
    for i, length in enumerate(lengths):
        for j in range(length):
            name = f"branch{i}.{j}" if length > 1 else f"branch{i}"
            out.append((f"{here}/branch{i}_{j}", f"{there}.{name}"))
    return out


def _residuals(model: Any) -> list[tuple[str, str, str]]:
    """Each residual module here, in timm and in Keras, in order."""
    a, b, c = model.modules
    last = (f"c{c - 1}", "block8", f"block8_{c}")
    return [
        *((f"a{i}", f"repeat.{i}", f"block35_{i + 1}") for i in range(a)),
        *((f"b{i}", f"repeat_1.{i}", f"block17_{i + 1}") for i in range(b)),
        *((f"c{i}", f"repeat_2.{i}", f"block8_{i + 1}") for i in range(c - 1)),
        last,
    ]


def _convolutions(model: Any) -> list[tuple[str, str]]:
    """Each ``ConvNorm`` here and in timm but for the last, in Keras' order."""
    names = [(f"conv{name}", f"conv2d_{name}") for name in STEM]
    mixed = _branches("mixed5b", "mixed_5b", MIXED)
    names += [*mixed[:-1], (mixed[-1][0], "mixed_5b.branch3.1")]  # after its average
    residuals = _residuals(model)
    for kind, lengths, reduction in (
        ("a", A, ("reduction_a", "mixed_6a", REDUCTION_A)),
        ("b", B, ("reduction_b", "mixed_7a", REDUCTION_B)),
        ("c", C, None),
    ):
        for here, there, _ in residuals:
            if here.startswith(kind):
                names += _branches(here, there, lengths)
        if reduction:
            names += _branches(*reduction)
    return names


def entries(model: Any) -> list[Entry]:
    """The map for timm's names."""
    out = []
    for here, there in [*_convolutions(model), ("conv7b", "conv2d_7b")]:
        out += layers.conv(f"{here}/conv", f"{there}.conv", bias=False)
        out += layers.batch_norm(f"{here}/bn", f"{there}.bn")
    for here, there, _ in _residuals(model):
        out += layers.conv(f"{here}/linear", f"{there}.conv2d")
    return out + layers.dense("output", "classif")


def keras_entries(model: Any) -> list[Entry]:
    """The map for Keras' names (see ``dljax.weights.keras``)."""
    out = []
    for i, (here, _) in enumerate(_convolutions(model)):
        out += keras.conv(f"{here}/conv", keras.numbered("conv2d", i), bias=False)
        norm = keras.numbered("batch_normalization", i)
        out += keras.batch_norm(f"{here}/bn", norm, scale=False)
    for here, _, there in _residuals(model):
        out += keras.conv(f"{here}/linear", f"{there}_conv")
    out += keras.conv("conv7b/conv", "conv_7b", bias=False)
    out += keras.batch_norm("conv7b/bn", "conv_7b_bn", scale=False)
    return out + keras.dense("output", "predictions")
