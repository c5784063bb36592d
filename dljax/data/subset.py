"""A part of a training set, to learn how many examples a model needs."""

import numpy as np

from dljax.data.pipeline import Arrays
from dljax.errors import UserError


def drawn(source: Arrays, n: int, seed: int = 0) -> Arrays:
    """``n`` examples of a set, drawn by a seed; of one seed, fewer are among the more.

    Args:
        n: their number; 0 for the whole set, as it is.

    Raises:
        UserError: fewer than none, or more than there are.
    """
    if not 0 <= n <= len(source):
        raise UserError(
            f"{n:,} examples of {len(source):,}: expected at most as many, or 0 for all"
        )
    if n == 0:
        return source
    at = np.random.default_rng([seed, len(source)]).permutation(len(source))[:n]
    return Arrays({name: array[at] for name, array in source.arrays.items()}, source.names)
