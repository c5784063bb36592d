"""Inception v4 as timm's ``inception_v4``."""

from typing import Any

from dljax.weights import layers
from dljax.weights.mapping import Entry

# Number of convolutions in a row, for each branch of a module.
STEM = (2, 4)
A = (1, 2, 3, 1)
REDUCTION_A = (1, 3)
B = (1, 3, 5, 1)
REDUCTION_B = (2, 4)


def _branches(
    here: str, there: str, lengths: tuple[int, ...], pooled: bool = False
) -> list[tuple[str, str]]:
    """Convolutions of a module; a branch of one is no sequence there, but for the pooled one."""
    out = []
    for i, length in enumerate(lengths):
        for j in range(length):
            last = pooled and i == len(lengths) - 1
            name = f"branch{i}.1" if last else f"branch{i}.{j}" if length > 1 else f"branch{i}"
            out.append((f"{here}/branch{i}_{j}", f"{there}.{name}"))
    return out


def _module_c(here: str, there: str) -> list[tuple[str, str]]:
    """The module whose branches fork, which are no sequences there."""
    names = ("1_0", "1_1a", "1_1b", "2_0", "2_1", "2_2", "2_3a", "2_3b")
    out = [(f"{here}/branch{name}", f"{there}.branch{name}") for name in names]
    ends = [("branch0_0", "branch0"), ("branch3_0", "branch3.1")]
    return out + [(f"{here}/{ours}", f"{there}.{theirs}") for ours, theirs in ends]


def entries(model: Any) -> list[Entry]:
    """The map for timm's names, which number the modules in a row."""
    a, b, c = model.modules
    names = [(f"stem/conv{i}", f"features.{i}") for i in range(3)]
    names += [("stem/conv3", "features.3.conv"), ("stem/conv4", "features.5.conv")]
    names += _branches("stem", "features.4", STEM)
    place = 6
    for i in range(a):
        names += _branches(f"a{i}", f"features.{place + i}", A, pooled=True)
    place += a
    names += _branches("reduction_a", f"features.{place}", REDUCTION_A)
    place += 1
    for i in range(b):
        names += _branches(f"b{i}", f"features.{place + i}", B, pooled=True)
    place += b
    names += _branches("reduction_b", f"features.{place}", REDUCTION_B)
    for i in range(c):
        names += _module_c(f"c{i}", f"features.{place + 1 + i}")
    out = []
    for here, there in names:
        out += layers.conv(f"{here}/conv", f"{there}.conv", bias=False)
        out += layers.batch_norm(f"{here}/bn", f"{there}.bn")
    return out + layers.dense("output", "last_linear")
