"""MUTAG: 188 nitroaromatic compounds, mutagenic or not. Debnath et al. 1991, doi:10.1021/jm00106a046.

Read in the format of weihua916/powerful-gnns, with its ten folds: those of Xu et al. 2019.
"""

from pathlib import Path

import numpy as np

from dljax.data import fake as fake_data
from dljax.data.sources.graph import Graph, Packs
from dljax.errors import UserError

CLASSES, KINDS, FOLDS = 2, 7, 10
COUNT = 188


def _read(file: Path) -> list[tuple[int, list[int], list[tuple[int, int]]]]:
    """(label, kind of each node, pairs of linked nodes) of each graph."""
    words = iter([int(word) for word in file.read_text(encoding="utf-8").split()])
    graphs = []
    for _ in range(next(words)):
        nodes, label = next(words), next(words)
        kinds, pairs = [], []
        for node in range(nodes):
            kinds.append(next(words))
            pairs += [(node, next(words)) for _ in range(next(words))]
        graphs.append((label, kinds, pairs))
    if next(words, None) is not None:
        raise ValueError("more numbers than its graphs have")
    return graphs


def load(per: int = 8, *, data: str = "", fake: bool = False) -> Packs:
    """All graphs, ``per`` to a pack: nodes are one of 7 kinds, one-hot; ``label`` is (class, fold).

    The folds hold 18 graphs each: the 8 left over are in none, -1, and always learned from.

    Args:
        data: folder of ``MUTAG.txt`` and ``10fold_idx/test_idx-1.txt`` to ``-10.txt``.
        fake: rings, of whose nodes each class has other features.

    Raises:
        UserError: no such files, or others.
    """
    if fake:
        rings = fake_data.rings(COUNT, KINDS, CLASSES)
        return Packs([_in_fold(graph, i % FOLDS) for i, graph in enumerate(rings)], per)
    base = Path(data)
    if not data or not (base / "MUTAG.txt").is_file():
        raise UserError(
            f"no file '{base / 'MUTAG.txt'}': give the folder of MUTAG.txt (dataset/MUTAG in the archive of "
            "weihua916/powerful-gnns) with --data FOLDER; or try --fake true"
        )
    try:
        found = _read(base / "MUTAG.txt")
        fold = np.full(len(found), -1)
        for i in range(FOLDS):
            file = base / "10fold_idx" / f"test_idx-{i + 1}.txt"
            fold[[int(word) for word in file.read_text().split()]] = i
        labels = sorted({label for label, _, _ in found})  # 0 and 2 in the file
        if len(labels) != CLASSES or any(
            not 0 <= k < KINDS for _, kinds, _ in found for k in kinds
        ):
            raise ValueError(f"expected {CLASSES} labels, and kinds of atoms below {KINDS}")
    except (OSError, ValueError, IndexError, StopIteration) as error:
        raise UserError(
            f"{base} holds no MUTAG.txt with ten folds ({error}): give the folder as weihua916/powerful-gnns "
            "has it"
        ) from None
    graphs = []
    for (label, kinds, pairs), i in zip(found, fold, strict=True):
        node = np.eye(KINDS, dtype=np.float32)[kinds]
        receivers, senders = np.array(pairs, np.int64).reshape(-1, 2).T
        graphs.append(_in_fold(Graph(node, senders, receivers, labels.index(label)), i))
    return Packs(graphs, per)


def _in_fold(graph: Graph, fold: int) -> Graph:
    label = np.array([graph.label, fold], np.int32)
    return Graph(graph.node, graph.senders, graph.receivers, label)
