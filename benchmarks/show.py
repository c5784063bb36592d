"""What the benchmarks share: medians with their range, a markdown table, a JSON file, the machine."""

import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
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


Turns = dict[str, list[float]]  # of two things, the thing in question first: seconds of each turn


def repeated(
    arguments: Sequence[str], name: str, count: int, measure: Callable[[], Turns]
) -> list[Turns]:
    """``measure()``, or from ``count`` processes what ``python arguments --only name`` has measured.

    Where a program's buffers come to lie differs from process to process, and is worth some percent
    of a small net's step: turns within one process do not average it out.
    """
    if count == 1:
        return [measure()]
    warn_if_busy()
    found = []
    with tempfile.TemporaryDirectory(prefix="dljax-benchmark-") as folder:
        out = Path(folder) / "figures.json"
        for i in range(count):
            print(f"{name}: process {i + 1} of {count}", file=sys.stderr, flush=True)
            command = [sys.executable, *arguments, "--only", name]
            command += ["--processes", "1", "--out", str(out)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            found += json.loads(out.read_text())[name]
    return found


def compared(found: Sequence[Turns], steps: int) -> list[str]:
    """Three cells: both things' steps per second with ``steps`` in a turn, and the share of the
    second's speed that the first has, in percent: the mean over processes and its standard error.
    """
    one, other = found[0]
    speeds = [Times.of([steps / t for turns in found for t in turns[kind]]) for kind in found[0]]
    shares = [100 * sum(turns[other]) / sum(turns[one]) for turns in found]
    error = f" +- {statistics.stdev(shares) / len(shares) ** 0.5:.1f}" if len(shares) > 1 else ""
    return [*map(str, speeds), f"{statistics.mean(shares):.1f}{error}"]


def number(value: float) -> str:
    """Three digits, never in powers of ten."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}"


def warn_if_busy() -> None:
    """One line to stderr where the machine is not idle."""
    load = os.getloadavg()[0]
    if load > _IDLE_LOAD:
        print(f"the machine's load is {load:.1f}: expect crooked figures", file=sys.stderr)


def busy_seconds() -> float:
    """Seconds that all cores together have worked or were taken away, since the machine's start."""
    ticks = _lines(Path("/proc/stat"))[0].split()[1:]
    user, nice, system, _, _, irq, softirq, steal = map(int, ticks[:8])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


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
