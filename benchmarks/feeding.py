"""Whether feeding holds the step up: steps per second with the pipeline, and on a constant batch.

    python benchmarks/feeding.py
    python benchmarks/feeding.py --only resnet --processes 2 --out feeding.json
    python benchmarks/feeding.py --only photos --torch-python reference/bin/python

Both go through the executor as the loop does; one gathers and transforms a new batch for every step,
the other hands out one batch that already lies on the device. They take turns of half a second
(LeNet-5) or some seconds (ResNet-18), the first of each left out, in several processes, one after
another. LeNet-5 on images of MNIST's shape and ResNet-18 on images of CIFAR-10's, padded, cropped,
mirrored and standardised; batch 128. Target: 97 %.

``--only photos`` asks how many photos a core reads: made-up JPEG files of ImageNet's size, decoded,
cropped at random to 224 x 224 and standardized, in batches of 64. Beside dljax's pipeline: decoding
alone, TFDS' reader, and torchvision, if its Python is named. They take turns, on one core each.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
import photos
import show
from versus_torch import Worker

from dljax import models
from dljax.data import Pipeline, fake, images, transforms
from dljax.learner import learn
from dljax.models.convnets import lenet, resnet
from dljax.runtime.execute import Jit, make_executor
from dljax.runtime.feeder import Ahead, InFlight
from dljax.runtime.processes import prepare
from dljax.runtime.profile import Profile
from dljax.tasks.classification import classification

HERE = Path(__file__).resolve().parent

_WARM = 3  # steps of a turn, by which what was kept ready during the other's turn is used up


def lenet_mnist() -> tuple[Any, Pipeline, optax.GradientTransformation]:
    digits = fake.images(60_000, (28, 28, 1), 10)
    data = Pipeline(digits, 128, transform=transforms.unit)
    return models.build(lenet, "5"), data, optax.adam(1e-3)


def resnet_cifar() -> tuple[Any, Pipeline, optax.GradientTransformation]:
    augmented = transforms.chain(images.pad_crop_flip(4), images.standardize())
    data = Pipeline(fake.images(20_000, (32, 32, 3), 10), 128, transform=augmented)
    tx = optax.chain(optax.add_decayed_weights(5e-4), optax.sgd(0.1, momentum=0.9))
    return models.build(resnet, "18", classes=10, stem="small"), data, tx


class Case(NamedTuple):
    """What is trained (model, pipeline, optimizer), for how many steps a turn, in how many turns."""

    make: Callable[[], tuple[Any, Pipeline, optax.GradientTransformation]]
    steps: int
    turns: int


CASES = {"lenet": Case(lenet_mnist, 40, 25), "resnet": Case(resnet_cifar, 2, 3)}


def turns(
    executor: Jit, place: Callable[[int, int], Any], steps: int, count: int
) -> Iterator[float]:
    """A training fed by ``place``, ``steps`` steps for each ``next``: the seconds they took."""
    state = executor.init(jax.random.key(0))
    batches = (place(step, 1) for step in range((steps + _WARM) * count))
    flying = InFlight(shared=executor.on_host)
    begun = 0.0
    for taken, batch in enumerate(batches if executor.on_host else Ahead(batches)):
        if taken % (steps + _WARM) == _WARM:
            jax.block_until_ready(state)
            begun = time.monotonic()
        state, packed = executor.step(state, batch, 1)
        for earlier in flying.add(packed):
            np.asarray(earlier)  # as in the loop
        if (taken + 1) % (steps + _WARM) == 0:
            jax.block_until_ready(state)
            yield time.monotonic() - begun


def measure(case: Case, count: int) -> show.Turns:
    """Seconds of each turn with the pipeline, and on a constant batch."""
    prepare(Profile())
    model, data, tx = case.make()
    executor = make_executor(Profile(), learn(classification(model), tx), data)
    constant = jax.device_put(executor.place(0, 1))
    fed = turns(executor, executor.place, case.steps, count + 1)
    still = turns(executor, lambda first, k: constant, case.steps, count + 1)
    pairs = list(zip(fed, still, strict=True))[1:]
    return {"fed": [a for a, _ in pairs], "constant": [b for _, b in pairs]}


PHOTOS = {
    "pipeline": "dljax, files to batches",
    "decoding": "pillow, decoding alone",
    "tfds": "TFDS, records to pixels",
    "torchvision": "torchvision, files to batches",
}


def photo_turns(torch_python: str, rounds: int, batches: int = 8) -> dict[str, list[float]]:
    """Photos per second of a core's time, for each reader and round."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="dljax-photos-") as folder:
        photos.write(Path(folder))
        commands = {
            name: [sys.executable, str(HERE / "photos.py"), name, folder] for name in photos.READERS
        }
        if torch_python:
            commands["torchvision"] = [torch_python, str(HERE / "photos_torch.py"), folder]
        workers: dict[str, Worker] = {}
        try:
            for name, command in commands.items():
                workers[name] = Worker(command, {"OMP_NUM_THREADS": "1"})
                workers[name].read()
            for _ in range(rounds):
                for name, worker in workers.items():
                    turn = worker.step(batches)
                    worked = turn.cores * turn.milliseconds / 1000
                    found.setdefault(name, []).append(photos.BATCH / worked)
        finally:
            for worker in workers.values():
                worker.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=[*CASES, "photos"], help="one of them; else all nets")
    parser.add_argument(
        "--turns", type=int, default=0, help="of each in a process; 0: a minute or two of them"
    )
    parser.add_argument("--processes", type=int, default=6, help="1: within this one")
    parser.add_argument("--torch-python", default="", help="Python that has torchvision")
    parser.add_argument("--out", default="", help="JSON file for the figures")
    options = parser.parse_args()
    if options.turns < 0 or options.processes < 1:
        parser.error("expected no turns below 0 and 1 process or more")
    if options.only == "photos":
        show.warn_if_busy()
        read = photo_turns(options.torch_python, options.turns or 5)
        cells = [[PHOTOS[name], show.Times.of(speeds)] for name, speeds in read.items()]
        print(show.table(["500 x 375 pixels", "photos per second and core"], cells))
        machine = show.machine("pillow", "numpy", "grain", "tensorflow-datasets")
        show.write(options.out, {"machine": machine, "photos": read})
        return
    rows, figures = [], {}
    for name in [options.only] if options.only else CASES:
        case = CASES[name]
        count = options.turns or case.turns
        found = show.repeated(
            [__file__, "--turns", str(count)],
            name,
            options.processes,
            lambda case=case, count=count: measure(case, count),
        )
        rows.append([name, *show.compared(found, case.steps)])
        figures[name] = found
    print(show.table(["batch 128", "pipeline, steps/s", "constant, steps/s", "share, %"], rows))
    show.write(options.out, {"machine": show.machine("jax", "flax", "optax"), **figures})


if __name__ == "__main__":
    main()
