"""Masked tokens. Devlin et al. 2018, arXiv:1810.04805, section 3.1, task 1."""

from collections.abc import Sequence

import numpy as np

from dljax.data.pipeline import Examples, Transform, uniform
from dljax.data.sources.text import NO_TARGET
from dljax.errors import UserError

_KEPT, _RANDOM = 0.1, 0.1


def masked(vocabulary: int, mask: int, special: Sequence[int], rate: float = 0.15) -> Transform:
    """A transform: some ``tokens`` int32 [b, t] hidden, and ``targets`` int32 [b, t], which they were.

    Of each row the ``rate`` of the tokens that are not special is chosen, rounded, one at least. 80 % of
    them become ``mask``, 10 % another token of the vocabulary, 10 % stay. The targets of all others are
    ``NO_TARGET``. The choice is of the row's seed: in training another one each time that the example
    comes, in evaluation always the same.

    Args:
        vocabulary: number of tokens.
        special: tokens that are never chosen, ``mask`` among them, nor put in another's place.

    Raises:
        UserError: ``rate`` is no share.
    """
    if not 0 < rate < 1:
        raise UserError(f"a rate of {rate} of masked tokens: expected more than 0 and less than 1")
    ordinary = np.setdiff1d(np.arange(vocabulary, dtype=np.int32), special)

    def apply(examples: Examples, seeds: np.ndarray) -> Examples:
        tokens = examples["tokens"]
        places = np.arange(tokens.shape[1], dtype=np.uint64) << np.uint64(32)
        each = seeds[:, None] ^ places[None]

        def drawn(name: str) -> np.ndarray:
            return uniform(each, f"masked {name}")

        free = ~np.isin(tokens, special)
        order = np.argsort(np.where(free, drawn("which"), 2.0), axis=1, kind="stable")
        rank = np.argsort(order, axis=1, kind="stable")
        count = np.maximum(np.rint(rate * free.sum(1)), 1)
        chosen = free & (rank < count[:, None])
        kind, other = drawn("how"), ordinary[(drawn("other") * len(ordinary)).astype(np.int64)]
        hidden = np.where(kind < _RANDOM, other, np.int32(mask))
        hidden = np.where(kind >= 1 - _KEPT, tokens, hidden)
        targets = np.where(chosen, tokens, np.int32(NO_TARGET))
        return {**examples, "tokens": np.where(chosen, hidden, tokens), "targets": targets}

    return apply
