"""Neighbors drawn anew at each step, a function of the step alone. Hamilton et al. 2017, arXiv:1706.02216."""

import numpy as np

from dljax.data.pipeline import Examples, Transform
from dljax.errors import UserError


def drawn(receivers: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of edges such that each node keeps min(most, degree) incoming ones, without replacement.

    Each subset is as likely, so the mean over what a node keeps is its neighbors' mean in expectation.

    Args:
        receivers: int [e].
        most: edges kept for a node.
    """
    order = np.lexsort((rng.random(len(receivers)), receivers))
    known, first = np.unique(receivers[order], return_index=True)
    rank = np.arange(len(order)) - first[np.searchsorted(known, receivers[order])]
    return order[rank < most]


def sampled(most: int, layers: int) -> Transform:
    """A transform of a whole graph: ``senders`` and ``receivers`` [layers, e], other neighbors for each layer.

    Their number e is the same at every step.

    Raises:
        UserError: ``most`` is below 1.
    """
    if most < 1:
        raise UserError(f"{most} neighbors to draw for each node: expected at least 1")

    def transform(examples: Examples, seeds: np.ndarray) -> Examples:
        rngs = [np.random.default_rng([int(seeds[0]), layer]) for layer in range(layers)]
        at = np.stack([drawn(examples["receivers"], most, rng) for rng in rngs])
        return {**examples, **{name: examples[name][at] for name in ("senders", "receivers")}}

    return transform
