"""What the benchmarks share: medians with their range, a markdown table, a JSON file, the machine."""

import importlib.metadata
import json
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

# On a machine that does something else besides, times say little.
_IDLE_LOAD = 0.5


class Times(NamedTuple):
    """Measurements of one thing: their median, and how far they lie apart."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Times":
        return cls(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{number(self.median)} ({number(self.low)} to {number(self.high)})"


def share(mine: Sequence[float], theirs: Sequence[float]) -> str:
    """How much of all ``theirs`` seconds all ``mine`` are, in percent; in brackets the median of the
    turns taken one against one, with its standard error (from the median absolute deviation).
    """
    turns = [100 * a / b for a, b in zip(mine, theirs, strict=True)]
    middle = statistics.median(turns)
    deviation = 1.4826 * statistics.median(abs(x - middle) for x in turns)
    error = 1.2533 * deviation / len(turns) ** 0.5
    return f"{100 * sum(mine) / sum(theirs):.1f} ({middle:.1f} +- {error:.1f})"


def number(value: float) -> str:
    """Three digits, never in powers of ten."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}"


def warn_if_busy() -> None:
    """One line to stderr where the machine is not idle."""
    load = os.getloadavg()[0]
    if load > _IDLE_LOAD:
        print(f"the machine's load is {load:.1f}: expect crooked figures", file=sys.stderr)


def machine(*packages: str) -> dict[str, Any]:
    """Where and with what was measured."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in _lines(Path("/proc/cpuinfo"))
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "load": [round(value, 2) for value in os.getloadavg()],
        "python": platform.python_version(),
        **{package: importlib.metadata.version(package) for package in packages},
    }


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def write(out: str, content: dict[str, Any]) -> None:
    """``content`` as JSON in the file ``out``, if one was named."""
    if out:
        Path(out).write_text(json.dumps(content, indent=1) + "\n")
