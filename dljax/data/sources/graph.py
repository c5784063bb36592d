"""A graph as one example: nodes classified together, some of them labelled."""

from dataclasses import dataclass, replace

import numpy as np

from dljax.data.pipeline import Examples


@dataclass(frozen=True)
class WholeGraph:
    """One example, the graph, and of its ``n`` nodes those that count (``mask``).

    For ``Pipeline(..., 1, shuffle=False, divisible=False)`` and ``EvalSet(..., 1,
    divisible=False)``: no axis is one of examples, so every device gets the whole.

    Attributes:
        node: float32 [n, d], features.
        senders, receivers: int32 [e], edges; an undirected edge occurs in both directions.
        label: int32 [n].
        mask: float32 [n], 1 where the node's loss and metrics count.
    """

    node: np.ndarray
    senders: np.ndarray
    receivers: np.ndarray
    label: np.ndarray
    mask: np.ndarray
    whole = True

    def __len__(self) -> int:
        return 1

    def gather(self, indices: np.ndarray) -> Examples:
        return {
            "node": self.node,
            "senders": self.senders,
            "receivers": self.receivers,
            "label": self.label,
            "mask": self.mask,
        }

    def of(self, nodes: np.ndarray) -> "WholeGraph":
        """The same graph, with these nodes (indices) counting."""
        mask = np.zeros(len(self.label), np.float32)
        mask[nodes] = 1
        return replace(self, mask=mask)


def undirected(pairs: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """(senders, receivers) of the pairs [m, 2] in both directions, sorted, each once, no loops."""
    pairs = pairs[pairs[:, 0] != pairs[:, 1]].astype(np.int64)
    both = np.concatenate([pairs, pairs[:, ::-1]])
    keys = np.unique(both[:, 1] * n + both[:, 0])
    receivers, senders = np.divmod(keys, n)
    return senders.astype(np.int32), receivers.astype(np.int32)
