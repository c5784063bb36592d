"""What the loop costs: its steps per second against a bare loop written by hand.

    python benchmarks/overhead.py
    python benchmarks/overhead.py --only gpt --rounds 3 --steps 500 --out overhead.json

The loop is ``dljax.run`` on an experiment with everything that is on by default: feeding, the check
of every loss, metrics.jsonl, TensorBoard, checkpoints. The bare loop is what one writes in a
notebook: a jitted step of the same flax model, loss and optax optimizer, its state donated, batches
taken by NumPy indexing, in the same order. Both train on made-up data of the real shapes, and take
turns; the first fifth of each run's steps is left out. Target: 97 %.

The loop's speed is read off the times at which it asks for its batches: it keeps two ready, so
apart from those it can ask no faster than it steps.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import show

import dljax
from dljax import Experiment, at_most, models
from dljax.data import Pipeline, fake, transforms
from dljax.data.sources.text import Windows
from dljax.learner import make_learner, players
from dljax.models.convnets import lenet
from dljax.models.transformers import gpt
from dljax.objectives.classification import classification
from dljax.objectives.language import language
from dljax.runtime.processes import prepare
from dljax.runtime.profile import Profile

_WARM = 0.2  # of the steps


class Case(NamedTuple):
    """One training, twice: as an experiment of dljax, and as what a bare loop needs.

    Attributes:
        experiment: steps -> Experiment.
        params: key -> the model's parameters.
        loss: (params, batch) -> (loss, accuracy).
        tx: the optimizer.
        batches: steps -> iterator of batches.
        steps: in a run, unless told else.
    """

    experiment: Callable[[int], Experiment]
    params: Callable[[jax.Array], Any]
    loss: Callable[[Any, Any], tuple[jax.Array, jax.Array]]
    tx: optax.GradientTransformation
    batches: Callable[[int], Iterator[dict[str, np.ndarray]]]
    steps: int


def order(n: int, size: int, steps: int) -> np.ndarray:
    """The examples' numbers for all steps, epochs end to end, as ``Pipeline`` has them at seed 0."""
    epochs = range(-(-size * steps // n))
    return np.concatenate([np.random.default_rng([0, epoch]).permutation(n) for epoch in epochs])


def mnist_like(size: int = 128) -> Case:
    """LeNet-5 at batch 128 on 60,000 images of MNIST's shape; ten epochs."""
    arrays = fake.images(60_000, (28, 28, 1), 10)
    images, labels = arrays.arrays["image"], arrays.arrays["label"]
    model = models.build(lenet, "5")
    tx = optax.adam(1e-3)

    def experiment(steps: int) -> Experiment:
        task = classification(model)
        return Experiment(
            learner=make_learner(task.init, players(task.losses, tx), evaluate=task.evaluate),
            data=Pipeline(arrays, size, transform=transforms.unit),
            steps=steps,
            expect={"model/loss": at_most(2.0)},
        )

    def loss(params, batch):
        logits = model.apply({"params": params}, batch["image"], train=True)
        value = optax.softmax_cross_entropy_with_integer_labels(logits, batch["label"])
        return jnp.mean(value), jnp.mean(jnp.argmax(logits, -1) == batch["label"])

    def batches(steps: int) -> Iterator[dict[str, np.ndarray]]:
        indices = order(len(images), size, steps)
        for step in range(steps):
            index = indices[step * size : (step + 1) * size]
            image = images[index].astype(np.float32) * np.float32(1 / 255)
            yield {"image": image, "label": labels[index]}

    def params(key: jax.Array) -> Any:
        return model.init(key, images[:1].astype(np.float32), train=False)["params"]

    return Case(experiment, params, loss, tx, batches, 4690)


def shakespeare_like(size: int = 12, t: int = 64) -> Case:
    """The char GPT in nanoGPT's setting for a CPU, on a million made-up characters."""
    tokens = fake.text(1_000_000, 65)
    model = models.build(gpt, "char-small")
    rate = optax.warmup_cosine_decay_schedule(0.0, 1e-3, 100, 2000, 1e-4)

    def matrices(params: Any) -> Any:
        return jax.tree.map(lambda x: x.ndim > 1, params)

    tx = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adamw(rate, b1=0.9, b2=0.99, weight_decay=0.1, mask=matrices),
    )

    def experiment(steps: int) -> Experiment:
        task = language(model)
        return Experiment(
            learner=make_learner(task.init, players(task.losses, tx), evaluate=task.evaluate),
            data=Pipeline(Windows(tokens, t), size),
            steps=steps,
            expect={"model/loss": at_most(4.0)},
        )

    def loss(params, batch):
        logits = model.apply({"params": params}, batch["tokens"], train=True)
        value = optax.softmax_cross_entropy_with_integer_labels(logits, batch["targets"])
        return jnp.mean(value), jnp.mean(jnp.argmax(logits, -1) == batch["targets"])

    def batches(steps: int) -> Iterator[dict[str, np.ndarray]]:
        starts = order(len(tokens) - t, size, steps)
        for step in range(steps):
            at = starts[step * size : (step + 1) * size, None] + np.arange(t + 1)
            window = tokens[at]
            yield {"tokens": window[:, :-1], "targets": window[:, 1:]}

    def params(key: jax.Array) -> Any:
        return model.init(key, tokens[None, :t], train=False)["params"]

    return Case(experiment, params, loss, tx, batches, 2000)


CASES = {"lenet": mnist_like, "gpt": shakespeare_like}


def bare(case: Case, steps: int) -> float:
    """Steps per second of the bare loop."""

    @partial(jax.jit, donate_argnums=(0, 1))
    def train_step(params, opt, batch):
        (value, accuracy), grads = jax.value_and_grad(case.loss, has_aux=True)(params, batch)
        updates, opt = case.tx.update(grads, opt, params)
        return optax.apply_updates(params, updates), opt, (value, accuracy)

    params = jax.jit(case.params)(jax.random.key(0))
    opt = case.tx.init(params)
    warm, begun = int(_WARM * steps), 0.0
    for step, batch in enumerate(case.batches(steps)):
        if step == warm:
            jax.block_until_ready(params)
            begun = time.monotonic()
        params, opt, (value, accuracy) = train_step(params, opt, batch)
        if step % 100 == 0:  # one looks at it now and then
            float(value), float(accuracy)
    jax.block_until_ready(params)
    return (steps - warm) / (time.monotonic() - begun)


def looped(case: Case, steps: int, profile: Profile) -> float:
    """Steps per second of ``dljax.run``."""
    stamps: list[float] = []
    experiment = case.experiment(steps)
    phase = experiment.phases[0]

    def timed(examples, seeds):
        stamps.append(time.monotonic())
        return phase.data.transform(examples, seeds)

    data = replace(phase.data, transform=timed)
    experiment = replace(experiment, phases=(replace(phase, data=data),))
    with tempfile.TemporaryDirectory(prefix="dljax-overhead-") as folder:
        dljax.run(experiment, profile, Path(folder) / "run", quiet=True)
    warm, stamps = int(_WARM * steps), stamps[-steps:]  # the executor looks at a batch first
    return (len(stamps) - 1 - warm) / (stamps[-1] - stamps[warm])


def same_batches(case: Case) -> None:
    """Both loops must see the same numbers in the same order."""
    data = case.experiment(4).phases[0].data
    for step, batch in enumerate(case.batches(4)):
        for name, array in data.batch(step).items():
            np.testing.assert_array_equal(array, batch[name])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=CASES, help="one of them")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=0, help="of each run; 0: a whole training")
    parser.add_argument("--checkpoint-every", type=int, default=Profile().checkpoint_every)
    parser.add_argument("--out", default="", help="JSON file for the figures")
    options = parser.parse_args()
    show.warn_if_busy()
    profile = Profile(checkpoint_every=options.checkpoint_every)
    prepare(profile)
    rows, figures = [], {}
    for name in [options.only] if options.only else CASES:
        case = CASES[name]()
        same_batches(case)
        steps = options.steps or case.steps
        loop, hand = [], []
        for _ in range(options.rounds):
            loop.append(looped(case, steps, profile))
            hand.append(bare(case, steps))
            print(f"{name}: loop {loop[-1]:.2f}, bare {hand[-1]:.2f} steps/s", flush=True)
        share = show.Times.of([100 * a / b for a, b in zip(loop, hand, strict=True)])
        total = 100 * show.Times.of(loop).median / show.Times.of(hand).median
        rows.append([name, show.Times.of(loop), show.Times.of(hand), f"{total:.1f} %", share])
        figures[name] = {"steps": steps, "loop": loop, "bare": hand, "percent": total}
    print(show.table(["", "loop, steps/s", "bare, steps/s", "of medians", "by round, %"], rows))
    show.write(options.out, {"machine": show.machine("jax", "flax", "optax"), **figures})


if __name__ == "__main__":
    main()
