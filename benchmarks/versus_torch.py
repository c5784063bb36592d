"""Training steps side by side with PyTorch: forward pass, backward pass and optimizer, on a processor.

    python3.12 -m venv reference && reference/bin/pip install torch==2.13.0 numpy
    python benchmarks/versus_torch.py --torch-python reference/bin/python

A build of torch for processors will do; ``torch.compile`` needs g++. ``--data FOLDER`` (of the
Planetoid files) takes the real Cora for the GCN, else a made-up graph of its size.

Every training has three processes: dljax, torch and torch.compile (``peers_torch.py`` has the same
networks; parameter counts must agree, or it stops). They take turns for ``--rounds`` rounds of a few
seconds each, all on the same ``--threads`` cores; medians, in brackets the range, and the cores that were
used. A row is void where others were at work on the machine. dljax counts in what it does in every step
besides: the gradient's norm and, for classifiers, the accuracy. ``DLJAX_PLAIN=1`` measures it without its
forms for processors.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import show

from dljax.data.datasets import cora

HERE = Path(__file__).resolve().parent
CASES = {
    "course_cnn": "course CNN, 28x28, batch 128",
    "lenet": "LeNet-5, 28x28, batch 128",
    "resnet18": "ResNet-18, 32x32, batch 32",
    "unet": "U-Net (31M), 128x128, batch 2",
    "dcgan": "DCGAN, 64x64, batch 32, both players",
    "lstm": "LSTM 2x200, 10k words, batch 20 x 20",
    "gpt_small": "char GPT L4 H4 D128, batch 12 x 64",
    "gpt_large": "char GPT L6 H6 D384, batch 4 x 256",
    "gcn": "GCN, Cora",
    "ddpm": "DDPM small, 32x32, batch 32",
}
KINDS = ("dljax", "torch", "torch.compile")


BUSY = 0.2  # cores that others may work on in a turn that counts


class Turn(NamedTuple):
    """Milliseconds a step, cores that the worker used and others did, the worker's memory at its peak."""

    milliseconds: float
    cores: float
    others: float
    peak_mib: int


class Worker:
    """A process that steps when told to."""

    def __init__(self, command: list[str], environment: dict[str, str]):
        self.command = command
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def read(self) -> dict[str, Any]:
        """The next line that it says.

        Raises:
            RuntimeError: it has ended instead; its last words are in the message.
        """
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            words = " ".join(self.command)
            raise RuntimeError(f"{words} ended:\n{self.errors.read()[-2000:]}")
        return json.loads(line)

    def step(self, n: int) -> Turn:
        """The turn of ``n`` steps."""
        assert self.process.stdin
        before, begun = show.busy_seconds(), time.monotonic()
        self.process.stdin.write(f"{n}\n")
        self.process.stdin.flush()
        found = self.read()
        wall = time.monotonic() - begun
        others = max(0.0, (show.busy_seconds() - before) / wall - found["cores"])
        return Turn(1000 * found["seconds"], found["cores"], others, found["peak_mib"])

    def close(self) -> None:
        self.process.communicate()
        self.errors.close()


def start(kind: str, case: str, torch_python: str, threads: int, graph: str) -> Worker:
    if kind == "dljax":
        command = [sys.executable, str(HERE / "steps_jax.py"), case]
    else:
        # Each in the form that is fastest there: sparse products, or gathers that fuse.
        name = "gcn_sparse" if (case, kind) == ("gcn", "torch") else case
        mode = "compile" if kind == "torch.compile" else "eager"
        command = [torch_python, str(HERE / "steps_torch.py"), name, mode]
        command += ["--threads", str(threads)]
    return Worker([*command, "--graph", graph], {"OMP_NUM_THREADS": str(threads)})


def measure(case: str, options: argparse.Namespace, graph: str) -> dict[str, Any]:
    """Milliseconds per step of each kind, one figure a round, and what the first step took."""
    workers, said = {}, {}
    try:
        for kind in KINDS:  # in turn, so that nobody's compiling disturbs another's
            workers[kind] = start(kind, case, options.torch_python, options.threads, graph)
            said[kind] = workers[kind].read()
        counts = {kind: said[kind]["parameters"] for kind in KINDS}
        if len(set(counts.values())) > 1:
            raise SystemExit(f"{case}: these are not the same network: {counts}")
        turns: dict[str, list[Turn]] = {kind: [] for kind in KINDS}
        steps = {}
        for kind, worker in workers.items():
            once = worker.step(1).milliseconds / 1000
            steps[kind] = max(1, round(options.seconds / once))
        for _ in range(options.rounds):
            for kind in KINDS:
                turns[kind].append(workers[kind].step(steps[kind]))
    finally:
        for worker in workers.values():
            worker.close()
    first = {kind: said[kind]["first_step"] for kind in KINDS}
    return {"parameters": counts["dljax"], "turns": turns, "first_step_seconds": first}


def row(case: str, figures: dict[str, Any]) -> list[Any]:
    """Cells of a row; turns in which others were at work do not count, and half of them must."""
    cells, medians = [], []
    for kind in KINDS:
        turns = figures["turns"][kind]
        counted = [turn for turn in turns if turn.others <= BUSY]
        if 2 * len(counted) < len(turns):
            busy = statistics.median(turn.others for turn in turns)
            void = f"void: others worked on {busy:.1f} cores in {kind}'s turns"
            return [CASES[case], void, *[""] * len(KINDS), ""]
        times = show.Times.of([turn.milliseconds for turn in counted])
        cores = statistics.median(turn.cores for turn in counted)
        cells.append(f"{times} on {cores:.2f}")
        medians.append(times.median)
    first = figures["first_step_seconds"]
    ratio = medians[0] / min(medians[1:])
    return [CASES[case], *cells, f"{first['dljax']:.1f}", f"{ratio:.2f}"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; or all")
    parser.add_argument("--torch-python", required=True, help="Python of torch's environment")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of stepping, in each turn")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data", default="", help="folder of the Planetoid files")
    parser.add_argument("--out", default="", help="JSON file for the figures")
    options = parser.parse_args()
    unknown = set(options.cases) - set(CASES)
    if unknown:
        parser.error(f"no case {unknown.pop()!r}: of {', '.join(CASES)}")
    show.warn_if_busy()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    graph, _, _ = cora.load(options.data, fake=not options.data)
    rows, figures = [], {}
    header = ["training step, ms on cores", *KINDS, "dljax's first, s", "dljax / best of torch"]
    with tempfile.TemporaryDirectory(prefix="dljax-versus-") as folder:
        file = f"{folder}/graph.npz"
        np.savez(file, **graph.gather(np.zeros(1, np.int64)))
        for case in options.cases or CASES:
            figures[case] = measure(case, options, file)
            rows.append(row(case, figures[case]))
            print("  ".join(map(str, rows[-1])), flush=True)
            machine = show.machine("jax", "jaxlib", "flax", "optax")
            show.write(options.out, {"machine": machine, "cases": figures})
    print(show.table(header, rows))
    ratios = [float(row[-1]) for row in rows if row[-1]]
    if ratios:
        print(f"geometric mean of {len(ratios)} rows: {statistics.geometric_mean(ratios):.2f}")


if __name__ == "__main__":
    main()
