"""Links of one graph as examples: some are held out, and beside the true pairs there are pairs drawn at random."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dljax.data.pipeline import Examples, Transform
from dljax.data.sources.graph import WholeGraph, undirected
from dljax.errors import UserError


def strangers(n: int, known: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """``count`` pairs [count, 2] of different nodes below n, of which none is known, in either order; one
    may be drawn again.

    Args:
        known: integers [m, 2].

    Raises:
        UserError: every pair is known.
    """
    seen = np.unique(known.min(1) * n + known.max(1))
    if count and len(seen) >= n * (n - 1) // 2:
        raise UserError(f"{n} nodes, each linked to all others: expected a pair without a link")
    found = np.zeros((0, 2), np.int64)
    while len(found) < count:
        new = rng.integers(0, n, (2 * count, 2))
        low, high = new.min(1), new.max(1)
        found = np.concatenate([found, new[(low < high) & ~np.isin(low * n + high, seen)]])
    return found[:count]


@dataclass(frozen=True)
class Links:
    """A graph to pass messages over, and pairs of its nodes to judge: one example for every device.

    Gathers ``node`` [n, d], ``senders`` and ``receivers`` [e]; ``pairs`` int32 [m, 2], ``label`` float32 [m], 1
    where they are linked, and ``mask`` [m] of ones.

    Attributes:
        linked, unlinked: int [m / 2, 2].
    """

    graph: WholeGraph
    linked: np.ndarray
    unlinked: np.ndarray

    whole = True

    def __len__(self) -> int:
        return 1

    def gather(self, indices: np.ndarray) -> Examples:
        arrays = self.graph.gather(indices)
        return {
            **{name: arrays[name] for name in ("node", "senders", "receivers")},
            **_judged(self.linked, self.unlinked),
        }


def _judged(linked: np.ndarray, unlinked: np.ndarray) -> Examples:
    label = np.repeat(np.array([1, 0], np.float32), [len(linked), len(unlinked)])
    pairs = np.concatenate([linked, unlinked]).astype(np.int32)
    return {"pairs": pairs, "label": label, "mask": np.ones(len(pairs), np.float32)}


class LinkSplit(NamedTuple):
    """Parts over one graph of messages, that of the training links alone."""

    train: Links
    validation: Links
    test: Links


def split(
    graph: WholeGraph, validation: float = 0.05, test: float = 0.1, *, seed: int = 0
) -> LinkSplit:
    """Hold out some of an undirected graph's links, in both directions.

    The held-out parts have as many pairs drawn once, of which no link of the whole graph is one. Those of
    training are to be drawn anew (``redrawn``).

    Raises:
        UserError: a part would have no link.
    """
    n, rng = len(graph.node), np.random.default_rng(seed)
    pairs = np.stack([graph.senders, graph.receivers], 1).astype(np.int64)
    pairs = rng.permutation(pairs[pairs[:, 0] < pairs[:, 1]])
    middle, last = int(validation * len(pairs)), int(test * len(pairs))
    if not 0 < middle + last < len(pairs) or not middle or not last:
        raise UserError(f"{len(pairs)} links: too few to hold out {validation} and {test} of them")
    parts = np.split(pairs, [middle, middle + last])
    senders, receivers = undirected(parts[2], n)
    rest = WholeGraph(graph.node, senders, receivers, graph.label, graph.mask)
    drawn = strangers(n, pairs, middle + last, rng)
    return LinkSplit(
        Links(rest, parts[2], strangers(n, parts[2], len(parts[2]), rng)),
        Links(rest, parts[0], drawn[:middle]),
        Links(rest, parts[1], drawn[middle:]),
    )


def redrawn(links: Links) -> Transform:
    """A transform that draws other unlinked pairs at each step, none of them among the part's own links."""

    def transform(examples: Examples, seeds: np.ndarray) -> Examples:
        rng = np.random.default_rng(int(seeds[0]))
        new = strangers(len(examples["node"]), links.linked, len(links.unlinked), rng)
        return {**examples, **_judged(links.linked, new)}

    return transform
