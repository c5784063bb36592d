"""A model's outputs on a set of examples, and scores of the set as a whole."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from dljax.data.pipeline import EvalSet
from dljax.errors import UserError
from dljax.types import Key, Predict, Variables

_BATCH = 256


class Predicts(Protocol):
    """Owner of a model's ``predict``: a Task, a Learner, a network of pixels (``pixels.OfPixels``)."""

    @property
    def predict(self) -> Predict | None: ...


class Predictions(NamedTuple):
    """Examples and the model's outputs for them, as host arrays with one leading axis."""

    examples: Mapping[str, np.ndarray]
    outputs: Any


@lru_cache(maxsize=16)
def _compiled(predict: Predict) -> Callable[[Variables, Any], Any]:
    return jax.jit(predict)


def compiled(task: Predicts) -> Callable[[Variables, Any], Any]:
    """A task's ``predict``, compiled once.

    Raises:
        UserError: the task has none.
    """
    if task.predict is None:
        raise UserError("this task predicts nothing: look at its samples instead")
    return _compiled(task.predict)


def predict(
    task: Predicts, variables: Variables, data: EvalSet, limit: int | None = None
) -> Predictions:
    """The outputs of a task's model on a set, padding left out.

    Args:
        variables: of ``Learner.chosen``.
        limit: number of examples, from the first on; by default all.

    Raises:
        UserError: the task has no ``predict``.
    """
    function = compiled(task)
    size = min(_BATCH, limit or _BATCH)
    examples, outputs, seen = [], [], 0
    for batch in data.batches(size):
        numbers = {name: x for name, x in batch.items() if x.dtype.kind not in "OUS"}
        out = function(variables, numbers)
        real = np.asarray(batch["mask"]) > 0
        examples.append(
            {name: np.asarray(x)[real] for name, x in batch.items() if len(x) == len(real)}
        )
        outputs.append(jax.tree.map(lambda x, real=real: np.asarray(x)[real], out))
        seen += int(real.sum())
        if limit and seen >= limit:
            break
    pairs = zip(examples, outputs, strict=True)
    return Predictions(*jax.tree.map(lambda *parts: np.concatenate(parts)[:limit], *pairs))


@dataclass(frozen=True)
class Score:
    """A look: scores of a whole set, computed from a task's predictions on it.

    Attributes:
        function: (examples, outputs), as in ``Predictions`` -> name -> number.
    """

    task: Predicts
    data: EvalSet
    function: Callable[[Mapping[str, np.ndarray], Any], Mapping[str, float]]

    def __call__(self, variables: Variables, key: Key) -> Mapping[str, float]:
        return self.function(*predict(self.task, variables, self.data))
