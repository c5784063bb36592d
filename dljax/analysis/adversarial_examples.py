"""Robustness of a classifier: its accuracy on attacked images, and pictures of them.

The attacks themselves, and training against them, are in ``dljax.tasks.attacks``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from dljax.analysis import charts, heat
from dljax.analysis.predictions import Predicts, predict
from dljax.analysis.saliency import of_images
from dljax.data.pipeline import Arrays, EvalSet
from dljax.errors import UserError
from dljax.nn import first_maximum
from dljax.tasks.attacks import Attack
from dljax.tasks.classification import cross_entropy
from dljax.types import Key, Predict, Variables

_BATCH = 256


def attacked(
    logits: Callable[[Array], Array],
    image: Float[Array, "b h w c"],
    label: Int[Array, "b"],
    attack: Attack,
    epsilon: float | Array,
    key: Key,
) -> Float[Array, "b h w c"]:
    """Images moved by an attack so that the cross-entropy of their labels rises.

    Args:
        logits: images -> [b, classes].
        attack: of ``dljax.tasks.attacks``.
        epsilon: radius of its ball, in the units of the pixels.
        key: of its draws.
    """
    return attack(lambda x: cross_entropy(logits(x), label), image, epsilon, key)


def withstood(
    logits: Callable[[Array], Array],
    image: Float[Array, "b h w c"],
    label: Int[Array, "b"],
    attack: Attack,
    epsilon: float | Array,
    key: Key,
) -> Bool[Array, "b"]:
    """True for each image that is classified right after the attack (arguments as ``attacked``)."""
    moved = attacked(logits, image, label, attack, epsilon, key)
    return first_maximum(logits(moved)) == label


@lru_cache(maxsize=16)
def _compiled(function: Callable, predict: Predict, attack: Attack):
    def of(variables, image, label, epsilon, key):
        return function(of_images(predict, variables), image, label, attack, epsilon, key)

    return jax.jit(of)


def robust_accuracy(
    task: Predicts,
    variables: Variables,
    data: EvalSet,
    attack: Attack,
    epsilons: Sequence[float],
    key: Key,
    limit: int | None = None,
) -> np.ndarray:
    """The accuracy on attacked images at each radius, float64 [len(epsilons)].

    Args:
        variables: of ``Learner.chosen``.
        data: ``image`` and ``label``.
        attack: of ``dljax.tasks.attacks``.
        epsilons: radii in the units of the pixels; 0 gives the accuracy on the images as they are.
        limit: number of examples, from the first on; by default all.

    Raises:
        UserError: the task has no ``predict``.
    """
    if task.predict is None:
        raise UserError("this task predicts nothing: there is no answer to attack")
    right, seen = np.zeros(len(epsilons)), 0
    still = _compiled(withstood, task.predict, attack)
    for index, batch in enumerate(data.batches(min(_BATCH, limit or _BATCH))):
        counts = np.asarray(batch["mask"]) > 0
        if limit:
            counts &= np.cumsum(counts) <= limit - seen
        drawn = jax.random.fold_in(key, index)
        for i, epsilon in enumerate(epsilons):  # one program, for the radius is an argument
            out = still(variables, batch["image"], batch["label"], jnp.float32(epsilon), drawn)
            right[i] += np.asarray(out)[counts].sum()
        seen += int(counts.sum())
        if limit and seen >= limit:
            break
    return right / seen


@dataclass(frozen=True)
class RobustAccuracy:
    """A look: the accuracy under an attack, a number for each radius, named by it ("0.1").

    Attributes:
        data: ``image`` and ``label``.
        attack: of ``dljax.tasks.attacks``.
        epsilons: radii in the units of the pixels.
        limit: number of examples, from the first on.
    """

    task: Predicts
    data: EvalSet
    attack: Attack
    epsilons: Sequence[float] = (0.0, 0.1, 0.2, 0.3)
    limit: int = 1000

    def __call__(self, variables: Variables, key: Key) -> Mapping[str, float]:
        out = robust_accuracy(
            self.task, variables, self.data, self.attack, self.epsilons, key, self.limit
        )
        return {f"{e:g}": float(x) for e, x in zip(self.epsilons, out, strict=True)}


@dataclass(frozen=True)
class RobustnessCurve:
    """A look: a chart of the accuracy under attacks over the radius of their ball.

    Attributes:
        data: ``image`` and ``label``.
        attacks: name -> attack of ``dljax.tasks.attacks``.
        epsilons: radii in the units of the pixels.
        limit: number of examples, from the first on.
    """

    task: Predicts
    data: EvalSet
    attacks: Mapping[str, Attack]
    epsilons: Sequence[float] = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
    limit: int = 1000

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        given = self.task, variables, self.data
        lines = {
            name: robust_accuracy(*given, attack, self.epsilons, key, self.limit).tolist()
            for name, attack in self.attacks.items()
        }
        return charts.curves(self.epsilons, lines, xlabel="epsilon", ylabel="accuracy")


@dataclass(frozen=True)
class Examples:
    """A look: images, the same images after an attack, and the difference, with the model's answers.

    The first ``n`` images are shown whose answer was right before. Red pixels became brighter, blue
    ones darker.

    Attributes:
        data: ``image`` [n, h, w, c] in 0..1 and ``label``.
        attack: of ``dljax.tasks.attacks``.
        epsilon: radius of its ball, in the units of the pixels.
        names: of the classes; their numbers by default.
    """

    task: Predicts
    data: EvalSet
    attack: Attack
    epsilon: float
    names: Sequence[str] = ()
    n: int = 6

    def __call__(self, variables: Variables, key: Key) -> np.ndarray | str:
        examples, logits = predict(self.task, variables, self.data, 256)
        right = np.flatnonzero(logits.argmax(-1) == examples["label"])[: self.n]
        if not right.size:
            return f"no right answer among {len(logits)} examples to be attacked\n"
        image, label = examples["image"][right], examples["label"][right]
        compiled = _compiled(attacked, self.task.predict, self.attack)
        moved = compiled(variables, image, label, jnp.float32(self.epsilon), key)
        answer = predict(self.task, variables, EvalSet(Arrays({"image": np.asarray(moved)})))
        after = np.asarray(jax.nn.softmax(answer.outputs))
        guess = after.argmax(-1)
        columns = [heat.colored(image), heat.colored(moved), heat.heat((moved - image).sum(-1))]
        words = []
        for before, now, chance in zip(label, guess, after.max(-1), strict=True):
            names = [self.names[i] if self.names else str(i) for i in (before, now)]
            words += [names[0], f"{names[1]} ({100 * chance:.0f} %)", "difference"]
        return heat.rows(columns, words)
