"""A graph over scikit-learn's 1,797 handwritten digits: each is linked to the nearest others, and
few are labeled. Semi-supervised classification on real data that installs with the package.
"""

import functools

import numpy as np

from dljax.data import fake as fake_data
from dljax.data.sources import embedded
from dljax.data.sources.graph import WholeGraph, undirected

NODES, FEATURES, CLASSES = 1797, 64, 10
_NEIGHBOURS = 5
_VALIDATION = 300


@functools.lru_cache(maxsize=1)
def _graph() -> WholeGraph:
    from sklearn.datasets import load_digits  # takes a second to import

    bunch = load_digits()
    pixels = (bunch.data / 16).astype(np.float32)
    squares = (pixels**2).sum(1)
    distance = squares[:, None] + squares[None] - 2 * pixels @ pixels.T
    np.fill_diagonal(distance, np.inf)
    nearest = np.argsort(distance, 1, kind="stable")[:, :_NEIGHBOURS]
    pairs = np.stack([np.repeat(np.arange(NODES), _NEIGHBOURS), nearest.ravel()], 1)
    senders, receivers = undirected(pairs, NODES)
    label = bunch.target.astype(np.int32)
    return WholeGraph(pixels, senders, receivers, label, np.zeros(NODES, np.float32))


def load(
    *, labelled: int = 10, data: str = "", fake: bool = False
) -> tuple[WholeGraph, WholeGraph, WholeGraph]:
    """(train, validation, test): one graph, ``labelled`` nodes of each class, 300 and the rest.

    They are drawn from all over the file, in which one writer follows another.

    Args:
        labelled: training nodes per class.
        data: must be empty: nothing is read from files.
        fake: a stochastic block model of the same shapes.

    Raises:
        UserError: a folder in ``data``.
    """
    embedded(data)
    graph = fake_data.graph(NODES, FEATURES, CLASSES) if fake else _graph()
    order = np.random.default_rng(0).permutation(NODES)
    label = graph.label[order]
    train = np.concatenate([order[label == c][:labelled] for c in range(CLASSES)])
    rest = order[~np.isin(order, train)]
    return graph.of(train), graph.of(rest[:_VALIDATION]), graph.of(rest[_VALIDATION:])
