"""Tables and verdicts of dljax weights diff."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dljax.analysis.differences import Difference


def size(one: "Difference") -> float:
    """The difference, infinite where shapes differ."""
    return float("inf") if one.out is None else one.out


def figure(value: float | None) -> str:
    """The words for a difference."""
    return "-" if value is None else f"{value:.2g}"


def shapes(one: "Difference") -> str:
    """The words for both shapes."""
    a, b = ("absent" if s is None else "x".join(map(str, s)) or "scalar" for s in one.shapes)
    return a if a == b else f"{a} and {b}"


def table(layers: list["Difference"], tolerance: float, names: Mapping[str, str]) -> str:
    """The table of layers.

    Args:
        names: our path -> the name of the other framework's layer.
    """
    cells = [("layer", *["there"] * bool(names), "output", "its input", "difference", "")]
    for one in layers:
        there = [names.get(one.name, "")] * bool(names)
        mark = "differs" * one.parts(tolerance)
        cells.append((one.name, *there, shapes(one), figure(one.given), figure(one.out), mark))
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    left = len(cells[0]) - 3
    return "\n".join(
        "  ".join(
            f"{c:{w}}" if i < left else f"{c:>{w}}"
            for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )


def verdict(
    layers: list["Difference"],
    apart: list["Difference"],
    where: "Difference | None",
    tolerance: float,
) -> str:
    """The line that names the first layer, and where to look."""
    if where is None:
        largest = max((one.out or 0.0 for one in layers), default=0.0)
        return (
            f"no layer of {len(layers)} differs by more than {tolerance:g}: {largest:.2g} at most"
        )
    if where.out is None:
        what = f"first layer that differs: {where.name}, of shape {shapes(where)}"
    else:
        what = f"first layer that differs: {where.name}, by {where.out:.2g} of its largest value"
    own = [one.name for one in apart if f"/{where.name}/" in one.name]
    if own:
        return f"{what}; its weights differ: {', '.join(own)}"
    before = [one.name for one in layers[: layers.index(where)]]
    last = f" {before[-1]}" if before else " the input"
    if where.given is None:
        return f"{what}: look at it, and at what comes after{last}"
    if where.given <= tolerance:
        return (
            f"{what}, though what it is given agrees ({where.given:.2g}): look at its weights, padding, "
            "epsilon, and the order of what it takes"
        )
    return (
        f"{what}, and so does what it is given ({where.given:.2g}): look between it and{last} (activation, "
        "pooling, sum, flattening)"
    )
