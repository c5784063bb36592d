"""What the loop costs: its steps per second against a bare loop written by hand.

    python benchmarks/overhead.py
    python benchmarks/overhead.py --only gpt --processes 3 --out overhead.json

The loop is ``dljax.run`` on an experiment with everything that is on by default: feeding, the check
of every loss, metrics.jsonl, TensorBoard, checkpoints. The bare loop is what one writes in a
notebook: a jitted step of the same flax model, loss and optax optimizer, its state donated, batches
taken by NumPy indexing, in the same order. Both train on made-up data of the real shapes.

They take turns of 50 steps: before a step of its own the loop is held, the device drained, and the
bare loop has a turn, so that both see the same machine, be it as slow as it likes. Turns change
half-way between the multiples of 50, so that the loop's checkpoints lie inside its own turns: one in
20 turns. The first turn of each, which compiles, is left out, and the run is ended after the last.
All that in several processes, one after another. Target: 97 %.
"""

import argparse
import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import optax
import show

import dljax
from dljax import Experiment, Phase, learn, models
from dljax.data import Pipeline, fake, transforms
from dljax.data.sources.text import Windows
from dljax.learner import decay_mask
from dljax.models.convnets import lenet
from dljax.models.transformers import gpt
from dljax.runtime import stage
from dljax.runtime.processes import prepare
from dljax.runtime.profile import Profile
from dljax.tasks.classification import classification
from dljax.tasks.language import language

_TURN = 50  # steps


class Case(NamedTuple):
    """One training, twice: as an experiment of dljax, and as what a bare loop needs.

    Attributes:
        experiment: steps -> Experiment.
        params: key -> the model's parameters.
        loss: (params, batch) -> (loss, accuracy).
        tx: the optimizer.
        batches: steps -> iterator of batches.
        steps: in a whole training.
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
        data = Pipeline(arrays, size, transform=transforms.unit)
        return Experiment(Phase(learn(classification(model), tx), data, steps))

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

    tx = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adamw(rate, b1=0.9, b2=0.99, weight_decay=0.1, mask=decay_mask),
    )

    def experiment(steps: int) -> Experiment:
        data = Pipeline(Windows(tokens, t), size)
        return Experiment(Phase(learn(language(model), tx), data, steps))

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


def bare(case: Case, steps: int, norm: bool) -> Iterator[float]:
    """The bare loop, ``_TURN`` steps for each ``next``: the seconds they took."""

    @partial(jax.jit, donate_argnums=(0, 1))
    def train_step(params, opt, batch):
        (value, accuracy), grads = jax.value_and_grad(case.loss, has_aux=True)(params, batch)
        updates, opt = case.tx.update(grads, opt, params)
        metrics = (value, accuracy, optax.tree.norm(grads)) if norm else (value, accuracy)
        return optax.apply_updates(params, updates), opt, metrics

    params = jax.jit(case.params)(jax.random.key(0))
    opt = case.tx.init(params)
    begun = time.monotonic()
    for step, batch in enumerate(case.batches(steps)):
        params, opt, metrics = train_step(params, opt, batch)
        if step % 100 == 0:  # one looks at them now and then
            [float(value) for value in metrics]
        if (step + 1) % _TURN == 0:
            jax.block_until_ready(params)
            yield time.monotonic() - begun
            begun = time.monotonic()


class _Enough(Exception):
    """All turns are taken."""


def in_turns(
    case: Case, turns: int, profile: Profile, norm: bool
) -> tuple[list[float], list[float]]:
    """Seconds of each turn of ``dljax.run`` and of the bare loop that followed it."""
    looped: list[float] = []
    by_hand: list[float] = []
    hand = bare(case, (turns + 2) * _TURN, norm)
    next(hand)
    loop_executor = stage.make_executor

    def make_executor(*args: Any) -> Any:
        executor = loop_executor(*args)
        taken, begun, its_step = 0, time.monotonic(), executor.step

        def step(state, batch, k):
            nonlocal taken, begun
            if taken % _TURN == _TURN // 2:
                jax.block_until_ready(state)
                looped.append(time.monotonic() - begun)
                by_hand.append(next(hand))
                if len(looped) > turns:
                    raise _Enough
                begun = time.monotonic()
            taken += 1
            return its_step(state, batch, k)

        executor.step = step
        return executor

    with (
        mock.patch.object(stage, "make_executor", make_executor),
        tempfile.TemporaryDirectory(prefix="dljax-overhead-") as folder,
        contextlib.suppress(_Enough),
    ):
        dljax.run(case.experiment(case.steps), profile, Path(folder) / "run", quiet=True)
    return looped[1:], by_hand[1:]


def same_batches(case: Case) -> None:
    """Both loops must see the same numbers in the same order."""
    data = case.experiment(4).phases[0].data
    for step, batch in enumerate(case.batches(4)):
        for name, array in data.batch(step).items():
            np.testing.assert_array_equal(array, batch[name])


def measure(case: Case, options: argparse.Namespace) -> show.Turns:
    profile = Profile(checkpoint_every=options.checkpoint_every)
    prepare(profile)
    same_batches(case)
    looped, by_hand = in_turns(case, options.turns, profile, options.norm)
    return {"loop": looped, "bare": by_hand}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=CASES, help="one of them")
    parser.add_argument("--turns", type=int, default=20, help="of each in a process; at most 38")
    parser.add_argument("--processes", type=int, default=6, help="1: within this one")
    parser.add_argument(
        "--norm", action="store_true", help="the bare step reports the gradient's norm as well"
    )
    parser.add_argument("--checkpoint-every", type=int, default=Profile().checkpoint_every)
    parser.add_argument("--out", default="", help="JSON file for the figures")
    options = parser.parse_args()
    if not 1 <= options.turns <= 38 or options.processes < 1:
        parser.error("expected 1 to 38 turns and 1 process or more")
    rows, figures = [], {}
    for name in [options.only] if options.only else CASES:
        again = [__file__, "--turns", str(options.turns), *["--norm"] * options.norm]
        again += ["--checkpoint-every", str(options.checkpoint_every)]
        found = show.repeated(
            again, name, options.processes, lambda name=name: measure(CASES[name](), options)
        )
        rows.append([name, *show.compared(found, _TURN)])
        figures[name] = found
    print(show.table(["", "loop, steps/s", "bare, steps/s", "share, %"], rows))
    settings = {"turn": _TURN, "norm": options.norm, "checkpoint every": options.checkpoint_every}
    show.write(
        options.out, {"machine": show.machine("jax", "flax", "optax"), **settings, **figures}
    )


if __name__ == "__main__":
    main()
