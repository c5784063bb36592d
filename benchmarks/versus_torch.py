"""Networks side by side with PyTorch on a processor: training steps (forward pass, backward pass and
optimizer) and forward passes alone, of 1 row and of 64.

    python3.12 -m venv reference && reference/bin/pip install torch==2.13.0 torchvision timm numpy
    python3.13 -m venv newer && newer/bin/pip install -e .
    python benchmarks/versus_torch.py --torch-python reference/bin/python --dljax-python newer/bin/python

A build of torch for processors will do; ``torch.compile`` needs g++. ``--data FOLDER`` (of the
Planetoid files) takes the real Cora for the GCN, else a made-up graph of its size.

Every row has its processes: dljax (one more for each ``--dljax-python``: another Python, with another jax),
torch and torch.compile (``peers_torch.py`` and ``peers_text_torch.py`` have the same networks; parameter counts must agree, or it
stops). They take turns for ``--rounds`` rounds, all on the same ``--threads`` cores; medians, half of the
range, and the cores that were used. A row is void where others were at work on the machine. In
training dljax counts in what it does in every step besides: the gradient's norm and, for classifiers, the
accuracy. A forward pass ends with its result on the host. ``DLJAX_PLAIN=1`` measures dljax without its
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
NETWORKS = {
    "course_cnn": "course CNN, 28x28",
    "lenet": "LeNet-5, 28x28",
    "resnet18": "ResNet-18, 32x32",
    "unet": "U-Net (31M), 128x128",
    "dcgan": "DCGAN's generator, 64x64",
    "lstm": "LSTM 2x200, 20 of 10k words",
    "gpt_small": "char GPT L4 H4 D128, 64",
    "gpt_large": "char GPT L6 H6 D384, 256",
    "gcn": "GCN, Cora",
    "ddpm": "DDPM small, 32x32",
    "gru": "GRU 2x200, 20 of 10k words",
    "transformer": "Transformer base, 32 to 32",
    "bert": "BERT base, 128",
    "gpt2": "GPT-2 small, 256",
    "alexnet": "AlexNet, 224x224",
    "vgg16": "VGG16, 224x224",
    "mobilenet_v2": "MobileNetV2, 224x224",
    "inception_v3": "Inception v3, 299x299",
    "xception": "Xception, 299x299",
    "vit_s16": "ViT-S/16, 224x224",
}
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
    "gru": "GRU 2x200, 10k words, batch 20 x 20",
    "transformer": "Transformer base, batch 8 x 32",
    "bert": "BERT base, batch 2 x 128",
    "gpt2": "GPT-2 small, batch 1 x 256",
    "alexnet": "AlexNet, 224x224, batch 16",
    "vgg16": "VGG16, 224x224, batch 2",
    "mobilenet_v2": "MobileNetV2, 224x224, batch 8",
    "inception_v3": "Inception v3, 299x299, batch 4",
    "xception": "Xception, 299x299, batch 2",
    "vit_s16": "ViT-S/16, 224x224, batch 4",
}
PHOTOS = ("alexnet", "vgg16", "mobilenet_v2", "inception_v3", "xception", "vit_s16")
TORCH = ("torch", "torch.compile")
WORKS = {"train": 0, "1": 1, "64": 64}  # rows of the forward pass; 0 trains
NOT_64 = (
    "gcn",
    "unet",
    "gpt_large",
    "transformer",
    "bert",
    "gpt2",
    *PHOTOS,
)  # one graph is what there is; seconds a pass


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


def start(kind: str, case: str, work: str, options: argparse.Namespace, graph: str) -> Worker:
    """The process of ``kind``: a Python that has dljax, or one of ``TORCH``."""
    if kind in TORCH:
        # Each in the form that is fastest there: sparse products, or gathers that fuse.
        name = "gcn_sparse" if (case, kind) == ("gcn", "torch") else case
        mode = "compile" if kind == "torch.compile" else "eager"
        command = [options.torch_python, str(HERE / "steps_torch.py"), name, mode]
        command += ["--threads", str(options.threads)]
    else:
        command = [kind, str(HERE / "steps_jax.py"), case]
    command += ["--graph", graph, "--forward", str(WORKS[work])]
    return Worker(command, {"OMP_NUM_THREADS": str(options.threads)})


def measure(case: str, work: str, options: argparse.Namespace, graph: str) -> dict[str, Any]:
    """Milliseconds per step of each kind, one figure a round, and what the first step took."""
    workers, said = {}, {}
    try:
        for kind in (sys.executable, *options.dljax_python, *TORCH):
            # In turn, so that nobody's compiling disturbs another's.
            workers[kind] = start(kind, case, work, options, graph)
            said[kind] = workers[kind].read()
        counts = {kind: said[kind]["parameters"] for kind in workers}
        if len(set(counts.values())) > 1:
            raise SystemExit(f"{case}: these are not the same network: {counts}")
        turns: dict[str, list[Turn]] = {kind: [] for kind in workers}
        steps = {}
        for kind, worker in workers.items():
            once = worker.step(1).milliseconds / 1000
            steps[kind] = max(1, round(options.seconds / once))
        for _ in range(options.rounds):
            for kind, worker in workers.items():
                turns[kind].append(worker.step(steps[kind]))
    finally:
        for worker in workers.values():
            worker.close()

    def named(found: dict[str, Any]) -> dict[str, Any]:
        """By what is compared: dljax with a version of jax, or torch's two ways."""
        return {k if k in TORCH else f"dljax, {said[k]['version']}": v for k, v in found.items()}

    first = named({kind: said[kind]["first_step"] for kind in workers})
    return {
        "parameters": counts[sys.executable],
        "torch": said["torch"]["version"],
        "turns": named(turns),
        "first_step_seconds": first,
    }


def row(name: str, figures: dict[str, Any]) -> list[Any]:
    """Cells of a row; turns in which others were at work do not count, and half of them must."""
    cells, medians = [], {}
    for kind, turns in figures["turns"].items():
        counted = [turn for turn in turns if turn.others <= BUSY]
        if 2 * len(counted) < len(turns):
            busy = statistics.median(turn.others for turn in turns)
            void = f"void: others worked on {busy:.1f} cores in {kind}'s turns"
            return [name, void, *[""] * (2 * len(figures["turns"]) - 3)]
        times = show.Times.of([turn.milliseconds for turn in counted])
        cores = statistics.median(turn.cores for turn in counted)
        spread = show.number((times.high - times.low) / 2)
        cells.append(f"{show.number(times.median)} ± {spread} on {cores:.1f}")
        medians[kind] = times.median
    best = min(medians[kind] for kind in TORCH)
    ratios = [f"{value / best:.2f}" for kind, value in medians.items() if kind not in TORCH]
    return [name, *cells, *ratios]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; or all")
    parser.add_argument(
        "--works", nargs="+", choices=WORKS, default=list(WORKS), help="all by default"
    )
    parser.add_argument("--torch-python", required=True, help="Python of torch's environment")
    parser.add_argument("--dljax-python", nargs="*", default=[], help="others that have dljax")
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
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="dljax-versus-") as folder:
        file = f"{folder}/graph.npz"
        np.savez(file, **graph.gather(np.zeros(1, np.int64)))
        for work in options.works:
            rows = []
            for case in options.cases or CASES:
                if WORKS[work] > 1 and case in NOT_64:
                    continue
                found = measure(case, work, options, file)
                rows.append(row(CASES[case] if work == "train" else NETWORKS[case], found))
                print("  ".join(map(str, rows[-1])), flush=True)
                figures[f"{case} {work}"] = found
                machine = show.machine("jax", "jaxlib", "flax", "optax")
                show.write(options.out, {"machine": machine, "cases": figures})
            kinds = list(found["turns"])
            ratios = [f"{kind} / best of torch" for kind in kinds if kind not in TORCH]
            what = f"forward pass of {work}" if WORKS[work] else "training step"
            print(show.table([f"{what}, ms on cores", *kinds, *ratios], rows))
            for i in range(-len(ratios), 0):
                counted = [float(row[i]) for row in rows if row[i]]
                if counted:
                    mean = statistics.geometric_mean(counted)
                    print(f"{ratios[i]}: geometric mean of {len(counted)} rows {mean:.2f}")


if __name__ == "__main__":
    main()
