"""A start of training at vectors of words that another corpus has given. Kim 2014, arXiv:1408.5882, section 3.2."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dljax.errors import UserError
from dljax.experiment import go_on
from dljax.learner import State


@dataclass(frozen=True)
class AtVectors:
    """A phase's start as ``go_on``, in which tables of words, trained or not, have these vectors.

    Attributes:
        table: float32 [words, features].
        found: bool [words]; a word without a vector keeps what it had.

    Raises:
        UserError: (the start) no array "embedding" has the table's shape.
    """

    table: np.ndarray
    found: np.ndarray

    def __call__(self, before: State | None, fresh: State) -> State:
        placed = 0

        def at(path: tuple, leaf: Any) -> Any:
            nonlocal placed
            if getattr(path[-1], "key", "") != "embedding" or leaf.shape != self.table.shape:
                return leaf
            placed += 1
            return jnp.where(self.found[:, None], self.table, leaf)

        begun = go_on(before, fresh)
        params, extra, ema = (
            jax.tree_util.tree_map_with_path(at, tree)
            for tree in (begun.params, begun.extra, begun.ema)
        )
        if not placed:
            raise UserError(
                f"no table of {self.table.shape[0]} words of {self.table.shape[1]} features: expected an "
                "array named embedding of that shape"
            )
        return begun._replace(params=params, extra=extra, ema=ema)
