"""ESPCN as pytorch/examples has it."""

from typing import Any

from dljax.weights.layers import conv
from dljax.weights.mapping import Entry


def entries(model: Any) -> list[Entry]:
    """The map for an ESPCN."""
    last = len(model.widths) + 1
    names = {**{f"conv{i}": f"conv{i}" for i in range(1, last)}, "output": f"conv{last}"}
    return [entry for here, there in names.items() for entry in conv(here, there)]
