"""Pictures of a sweep: its metrics over a number that was varied, such as accuracy over examples, or as bars."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dljax.analysis import charts


def abscissa(rows: Sequence[Mapping[str, Any]], varied: Sequence[str]) -> str | None:
    """The varied knob of numbers that has most values, the first of several; None without any."""

    def values(name: str) -> set[Any]:
        return {row["knobs"][name] for row in rows}

    numbers = [
        name
        for name in varied
        if all(isinstance(x, int | float) and not isinstance(x, bool) for x in values(name))
        and len(values(name)) > 1
    ]
    return max(numbers, key=lambda name: len(values(name)), default=None)


def picture(rows: Sequence[Mapping[str, Any]], varied: Sequence[str]) -> np.ndarray | None:
    """A panel for each metric, over the knob of ``abscissa``; None where no number was varied.

    A line is drawn for each combination of the other varied knobs, with the spread over seeds; what
    diverged is left out.

    Args:
        rows: of sweep.json: ``knobs``, and ``metrics`` with the ``values`` of each.
        varied: knobs with more than one value.
    """
    over = abscissa(rows, varied)
    if over is None:
        return None
    others = [name for name in varied if name != over]
    panels: dict[str, dict[str, list[tuple[float, list[float]]]]] = {}
    for row in rows:
        line = ", ".join(f"{name} {row['knobs'][name]}" for name in others)
        for metric, found in row["metrics"].items():
            values = [x for x in found["values"] if np.isfinite(x)]
            points = panels.setdefault(metric, {}).setdefault(line, [])
            points.append((float(row["knobs"][over]), values))
    return charts.against(dict(sorted(panels.items())), xlabel=over) if panels else None


def bars(
    rows: Sequence[Mapping[str, Any]], varied: Sequence[str], metrics: Sequence[str]
) -> dict[str, np.ndarray]:
    """Metric -> its chart: a bar for each configuration that has it."""
    out = {}
    for metric in metrics:
        found = {}
        for row in rows:
            name = "\n".join(f"{knob} {row['knobs'][knob]}" for knob in varied) or "all seeds"
            found[name] = row["metrics"].get(metric, {}).get("values", [])
        if any(found.values()):
            out[metric] = charts.bars(found, ylabel=metric)
    return out


def pictures(
    rows: Sequence[Mapping[str, Any]], varied: Sequence[str], metrics: Sequence[str]
) -> dict[str, np.ndarray]:
    """Name of a file -> what it shows: "sweep" where a number was varied, else ``bars``."""
    lines = picture(rows, varied)
    if lines is not None:
        return {"sweep": lines}
    charts = bars(rows, varied, metrics)
    return {metric.replace("/", "_"): chart for metric, chart in charts.items()}
