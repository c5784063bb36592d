"""scikit-learn's handwritten digits as graphs of their ink: real graphs that install with the package.

A node is a pixel of level 4 and above of 16, linked to the up to eight around it that are nodes. As in
Dwivedi et al. 2020, arXiv:2003.00982 (MNIST's superpixels), it knows its level and its place.
"""

import numpy as np

from dljax.data import fake as fake_data
from dljax.data.datasets import digits
from dljax.data.sources.graph import Graph, Packs

CLASSES = 10
FEATURES = 3
_INK = 4 / 16


def graph_of(image: np.ndarray, label: int) -> Graph:
    """The graph of an image's ink.

    Args:
        image: [h, w], levels in 0..1, with ink somewhere.

    Returns:
        Nodes [n, 3] row by row: level, row and column, each 0..1.
    """
    place = np.argwhere(image >= _INK)
    apart = np.abs(place[:, None] - place[None]).max(-1)
    receivers, senders = np.nonzero(apart == 1)
    side = np.maximum(np.array(image.shape) - 1, 1)
    node = np.concatenate([image[tuple(place.T)][:, None], place / side], 1)
    return Graph(node.astype(np.float32), senders, receivers, label)


def load(per: int = 8, *, data: str = "", fake: bool = False) -> tuple[Packs, Packs]:
    """(train, test): 1,438 and 359 digits, ``per`` to a pack, split as ``digits``.

    Args:
        data: must be empty: nothing is read from files.
        fake: rings, of whose nodes each class has other features.

    Raises:
        UserError: a folder in ``data``.
    """
    if fake:
        rings = [fake_data.rings(64, FEATURES, CLASSES, split=i) for i in (0, 1)]
        return Packs(rings[0], per), Packs(rings[1], per)
    out = []
    for part in digits.load(size=8, data=data):
        images = part.arrays["image"][..., 0].astype(np.float32) / 255
        graphs = [graph_of(x, y) for x, y in zip(images, part.arrays["label"], strict=True)]
        out.append(Packs(graphs, per))
    return out[0], out[1]


def place(node: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(column and row, level) of a graph's nodes, for pictures."""
    return node[:, [2, 1]], node[:, 0]
