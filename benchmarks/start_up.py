"""How long until the first step, and how much memory: the README's main job, cold and warm.

    python benchmarks/start_up.py
    python benchmarks/start_up.py --runs 7 --out start_up.json

Cold: with an empty compilation cache of its own; warm: again with the same one. The first step is
over when the run has written its first line of metrics. Memory is the process's peak resident set.
Beside them, the commands that must answer at once.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import show

ROOT = Path(__file__).resolve().parents[1]
JOB = "experiments/convnets/lenet.py"
QUICK = {
    "dljax --help": ["--help"],
    "dljax list": ["list"],
    "dljax train FILE --help": ["train", JOB, "--help"],
    "a mistyped knob": ["train", JOB, "--learnig_rate", "1"],
}


class Run(NamedTuple):
    """Seconds to the first step and to the end, and the peak of memory in MiB."""

    first_step: float
    end: float
    memory: float


def dljax(arguments: list[str]) -> list[str]:
    """The command as installed beside this Python."""
    return [str(Path(sys.executable).with_name("dljax")), *arguments]


def train(cache: Path, epochs: float) -> Run:
    """One run in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="dljax-start-") as folder:
        metrics = Path(folder) / "run" / "metrics.jsonl"
        command = dljax(["train", JOB, "--epochs", str(epochs), "--workdir", f"{folder}/run"])
        begun = time.monotonic()
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "XDG_CACHE_HOME": str(cache)},
            stdout=subprocess.DEVNULL,
        )
        while not (metrics.is_file() and metrics.stat().st_size) and child.poll() is None:
            time.sleep(0.005)
        first = time.monotonic() - begun
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit(f"{' '.join(command)} ended with status {child.returncode}")
        return Run(first, time.monotonic() - begun, usage.ru_maxrss / 1024)


def answer(arguments: list[str]) -> float:
    """Seconds until a command that trains nothing has ended."""
    begun = time.monotonic()
    subprocess.run(dljax(arguments), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - begun


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5, help="of each kind")
    parser.add_argument("--epochs", type=float, default=30, help="of the job; 30 is the README's")
    parser.add_argument("--out", default="", help="JSON file for the figures")
    options = parser.parse_args()
    show.warn_if_busy()
    train_runs: dict[str, list[Run]] = {"cold": [], "warm": []}
    for _ in range(options.runs):
        with tempfile.TemporaryDirectory(prefix="dljax-cache-") as cache:
            for kind in train_runs:
                train_runs[kind].append(train(Path(cache), options.epochs))
    quick = {name: [answer(given) for _ in range(options.runs)] for name, given in QUICK.items()}

    rows = []
    for kind, runs in train_runs.items():
        columns = [show.Times.of(values) for values in zip(*runs, strict=True)]
        rows.append([f"`dljax train {JOB}`, {kind} cache", *columns])
    rows += [[name, "", show.Times.of(values), ""] for name, values in quick.items()]
    print(show.table(["", "first step, s", "end, s", "peak memory, MiB"], rows))
    content = {kind: [run._asdict() for run in runs] for kind, runs in train_runs.items()}
    machine = show.machine("jax", "flax")
    show.write(options.out, {"machine": machine, **content, "quick": quick})


if __name__ == "__main__":
    main()
