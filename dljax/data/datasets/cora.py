"""Citation graphs in the Planetoid format: Cora, Citeseer, Pubmed. Yang et al. 2016,
arXiv:1603.08861; the split that Kipf & Welling 2017 and nearly everyone since reports on.

The files are Python-2 pickles of arrays, scipy matrices and dicts of lists, read by ``dljax.unpickling``.
"""

import io
from pathlib import Path
from typing import Any

import numpy as np

from dljax.data import fake as fake_data
from dljax.data.sources.graph import WholeGraph, undirected
from dljax.errors import UserError
from dljax.unpickling import ARRAYS, Array, Made, unpickle, whole

# name -> nodes, features, classes
SHAPES = {"cora": (2708, 1433, 7), "citeseer": (3327, 3703, 6), "pubmed": (19717, 500, 3)}
_CELLS = max(nodes * features for nodes, features, _ in SHAPES.values())  # of a matrix of features
_VALIDATION = 500


class _Csr(Made):
    """Stands for scipy.sparse.csr_matrix."""

    def build(self, state: Any) -> None:
        self.state = state

    def dense(self) -> np.ndarray:
        state = self.state
        values, columns, starts = (state[k].numpy() for k in ("data", "indices", "indptr"))
        shape = state.get("_shape") or state["shape"]
        counts = np.diff(starts)
        if not whole(shape) or len(shape) != 2:
            raise ValueError("a matrix without a shape")
        if shape[0] * shape[1] > _CELLS:
            raise ValueError(f"a matrix of shape {shape}")
        if len(counts) != shape[0] or (counts < 0).any() or counts.sum() != len(columns):
            raise ValueError("a matrix whose rows are not those of its shape")
        if ((columns < 0) | (columns >= shape[1])).any():
            raise ValueError("a matrix with columns outside of its shape")
        out = np.zeros(shape, np.float32)
        out[np.repeat(np.arange(len(counts)), counts), columns] = values
        return out


_NAMES = ARRAYS | {f"scipy.sparse.{module} csr_matrix": _Csr for module in ("csr", "_csr")}


def read(file: Path) -> Any:
    """A Planetoid file: an array (sparse ones made dense), or a dict of lists.

    Raises:
        UserError: the file is missing, damaged, or holds anything else.
    """
    try:
        found = unpickle(io.BytesIO(file.read_bytes()), _NAMES)
        if isinstance(found, Array):
            return found.numpy()
        if isinstance(found, _Csr):
            return found.dense()
        if isinstance(found, dict) and all(isinstance(links, list) for links in found.values()):
            return found
        raise ValueError(f"a {type(found).__name__}")
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from None
    except Exception as error:  # damaged data may be wrong in any way
        raise UserError(
            f"{file} is no Planetoid file ({' '.join(str(error).split())[:200]}): give the folder of "
            "ind.*.x and its like"
        ) from None


def _fake(name: str) -> tuple[WholeGraph, WholeGraph, WholeGraph]:
    n, features, classes = SHAPES[name]
    graph = fake_data.graph(n, features, classes)
    train = np.concatenate([np.flatnonzero(graph.label == c)[:20] for c in range(classes)])
    return graph.of(train), graph.of(np.arange(n - 1500, n - 1000)), graph.of(np.arange(n)[-1000:])


def load(
    folder: str = "", name: str = "cora", *, fake: bool = False
) -> tuple[WholeGraph, WholeGraph, WholeGraph]:
    """(train, validation, test): one graph, 20 labeled nodes per class, 500 and 1,000 nodes.

    Features are divided by their row's sum, as in the papers.

    Args:
        folder: holds ``ind.<name>.{x,tx,allx,y,ty,ally,graph,test.index}``.
        name: "cora", "citeseer" or "pubmed".
        fake: a stochastic block model of the same shapes.
    """
    if fake:
        return _fake(name)
    base = Path(folder) / f"ind.{name}"
    if not folder or not base.with_name(f"ind.{name}.graph").is_file():
        raise UserError(
            f"no file '{base}.graph': give the folder of the Planetoid files (the 'data' folder of "
            "kimiyoung/planetoid) with --data FOLDER; or try --fake true"
        )
    parts = {k: read(base.with_name(f"ind.{name}.{k}")) for k in ("x", "tx", "allx", "ally", "ty")}
    index = base.with_name(f"ind.{name}.test.index")
    try:
        test = np.loadtxt(index, dtype=np.int64, ndmin=1, encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"{index} is no list of node numbers: {error}") from None
    links = read(base.with_name(f"ind.{name}.graph"))

    known = len(parts["allx"])
    n = max(known, int(test.max()) + 1)  # Citeseer has test nodes without a row: they stay zero
    node = np.zeros((n, parts["allx"].shape[1]), np.float32)
    one_hot = np.zeros((n, parts["ally"].shape[1]), np.int32)
    node[:known], one_hot[:known] = parts["allx"], parts["ally"]
    node[test], one_hot[test] = parts["tx"], parts["ty"]
    node /= np.maximum(node.sum(1, keepdims=True), 1e-12)

    pairs = np.array([(a, b) for a, neighbours in links.items() for b in neighbours], np.int64)
    senders, receivers = undirected(pairs, n, f"{base}.graph")
    labelled = len(parts["x"])
    graph = WholeGraph(
        node, senders, receivers, one_hot.argmax(1).astype(np.int32), np.zeros(n, np.float32)
    )
    return (
        graph.of(np.arange(labelled)),
        graph.of(np.arange(labelled, min(labelled + _VALIDATION, known))),
        graph.of(np.sort(test)),
    )
