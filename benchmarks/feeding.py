"""Whether feeding holds the step up: steps per second with the pipeline, and on a constant batch.

    python benchmarks/feeding.py
    python benchmarks/feeding.py --only resnet --steps 8 --rounds 3 --out feeding.json

Both go through the executor and the feeder's thread as the loop does; one gathers, transforms and
places a new batch for every step, the other hands out one batch that already lies on the device.
They take turns. LeNet-5 on images of MNIST's shape and ResNet-18 on images of CIFAR-10's,
padded, cropped, mirrored and standardised; batch 128. Target: 97 %.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
import show

from dljax import models
from dljax.data import Pipeline, fake, images, transforms
from dljax.learner import make_learner, players
from dljax.models.convnets import lenet, resnet
from dljax.objectives.classification import classification
from dljax.runtime.execute import Executor, make_executor
from dljax.runtime.feeder import Feeder, calls
from dljax.runtime.processes import prepare
from dljax.runtime.profile import Profile

_WARM = 3  # steps


def lenet_mnist() -> tuple[Any, Pipeline, optax.GradientTransformation]:
    digits = fake.images(60_000, (28, 28, 1), 10)
    data = Pipeline(digits, 128, transform=transforms.unit)
    return models.build(lenet, "5"), data, optax.adam(1e-3)


def resnet_cifar() -> tuple[Any, Pipeline, optax.GradientTransformation]:
    augmented = images.chain(images.pad_crop_flip(4), images.standardize())
    data = Pipeline(fake.images(20_000, (32, 32, 3), 10), 128, transform=augmented)
    tx = optax.chain(optax.add_decayed_weights(5e-4), optax.sgd(0.1, momentum=0.9))
    return models.build(resnet, "18", classes=10, stem="small"), data, tx


class Case(NamedTuple):
    """What is trained (model, pipeline, optimizer), and for how many steps in each turn."""

    make: Callable[[], tuple[Any, Pipeline, optax.GradientTransformation]]
    steps: int


CASES = {"lenet": Case(lenet_mnist, 1000), "resnet": Case(resnet_cifar, 10)}


def steps_per_second(
    executor: Executor, state: Any, place: Callable[[int, int], Any], steps: int
) -> tuple[float, Any]:
    """Of ``steps`` steps fed by ``place``, the first few left out; and the state after them."""
    feeder = Feeder(calls(0, steps + _WARM, 1, ()), place)
    pending, begun = None, 0.0
    for first, k, batch in feeder:
        if first == _WARM:
            jax.block_until_ready(state)
            begun = time.monotonic()
        state, packed = executor.step(state, batch, k)
        if pending is not None:
            np.asarray(pending)  # of the step before, as in the loop
        pending = packed
    jax.block_until_ready(state)
    seconds = time.monotonic() - begun
    feeder.close()
    return steps / seconds, state


def measure(name: str, rounds: int, steps: int) -> tuple[list[float], list[float]]:
    """Steps per second with the pipeline and on a constant batch, one of each a round."""
    model, data, tx = CASES[name].make()
    task = classification(model)
    learner = make_learner(task.init, players(task.losses, tx), evaluate=task.evaluate)
    executor = make_executor(Profile(), learner, data)
    state = executor.init(jax.random.key(0))
    constant = jax.device_put(executor.place(0, 1))
    fed, still = [], []
    for _ in range(rounds):
        speed, state = steps_per_second(executor, state, executor.place, steps)
        fed.append(speed)
        speed, state = steps_per_second(executor, state, lambda first, k: constant, steps)
        still.append(speed)
        print(f"{name}: fed {fed[-1]:.3g}, constant {still[-1]:.3g} steps/s", flush=True)
    return fed, still


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=CASES, help="one of them")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=0, help="of each run; 0: half a minute's")
    parser.add_argument("--out", default="", help="JSON file for the figures")
    options = parser.parse_args()
    show.warn_if_busy()
    prepare(Profile())
    rows, figures = [], {}
    for name in [options.only] if options.only else CASES:
        steps = options.steps or CASES[name].steps
        fed, still = measure(name, options.rounds, steps)
        total = 100 * show.Times.of(fed).median / show.Times.of(still).median
        rows.append([name, show.Times.of(fed), show.Times.of(still), f"{total:.1f} %"])
        figures[name] = {"steps": steps, "fed": fed, "constant": still, "percent": total}
    print(show.table(["batch 128", "pipeline, steps/s", "constant, steps/s", "share"], rows))
    show.write(options.out, {"machine": show.machine("jax", "flax", "optax"), **figures})


if __name__ == "__main__":
    main()
