"""Inception v3 as torchvision's and timm's ``inception_v3``, and as Keras' ``applications.InceptionV3``."""

from typing import Any

from dljax.weights import keras, layers
from dljax.weights.mapping import Entry

STEM = ("1a_3x3", "2a_3x3", "2b_3x3", "3b_1x1", "4a_3x3")
# Convolutions of each module, in the order in which both libraries build them.
DOUBLE = ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3")
A = ("branch1x1", "branch5x5_1", "branch5x5_2", *DOUBLE, "branch_pool")
REDUCTION_A = ("branch3x3", *DOUBLE)
B = (
    "branch1x1",
    *(f"branch7x7_{i}" for i in (1, 2, 3)),
    *(f"branch7x7dbl_{i}" for i in (1, 2, 3, 4, 5)),
    "branch_pool",
)
REDUCTION_B = ("branch3x3_1", "branch3x3_2", *(f"branch7x7x3_{i}" for i in (1, 2, 3, 4)))
C = (
    "branch1x1",
    *(f"branch3x3_{i}" for i in ("1", "2a", "2b")),
    *(f"branch3x3dbl_{i}" for i in ("1", "2", "3a", "3b")),
    "branch_pool",
)


def _convolutions(model: Any) -> list[tuple[str, str]]:
    """Each ``ConvNorm`` here and there but for the auxiliary head's, in Keras' order."""
    out = [(f"conv{name[:2]}", f"Conv2d_{name}") for name in STEM]
    stages = (
        ("5", "bcdefghij", [(f"a{i}", A) for i in range(len(model.a))]),
        ("6", "abcdefghij", [("reduction_a", REDUCTION_A)]),
        ("6", "bcdefghij", [(f"b{i}", B) for i in range(len(model.b))]),
        ("7", "abcdefghij", [("reduction_b", REDUCTION_B)]),
        ("7", "bcdefghij", [(f"c{i}", C) for i in range(model.c)]),
    )
    for number, letters, modules in stages:
        for letter, (here, names) in zip(letters, modules, strict=False):
            out += [(f"{here}/{name}", f"Mixed_{number}{letter}.{name}") for name in names]
    return out


def _torch(names: list[tuple[str, str]]) -> list[Entry]:
    out = []
    for here, there in names:
        out += layers.conv(f"{here}/conv", f"{there}.conv", bias=False)
        out += layers.batch_norm(f"{here}/bn", f"{there}.bn")
    return out


def entries(model: Any) -> list[Entry]:
    """The map for torchvision's names; a network without an auxiliary head passes over theirs."""
    head = _torch([(f"auxiliary/conv{i}", f"AuxLogits.conv{i}") for i in (0, 1)])
    head += layers.dense("auxiliary/output", "AuxLogits.fc")
    if model.auxiliary is None:
        head = [entry._replace(path="") for entry in head]
    return _torch(_convolutions(model)) + head + layers.dense("output", "fc")


def keras_entries(model: Any) -> list[Entry]:
    """The map for Keras' names (see ``dljax.weights.keras``)."""
    out = []
    for i, (here, _) in enumerate(_convolutions(model)):
        out += keras.conv(f"{here}/conv", keras.numbered("conv2d", i), bias=False)
        norm = keras.numbered("batch_normalization", i)
        out += keras.batch_norm(f"{here}/bn", norm, scale=False)
    return out + keras.dense("output", "predictions")
