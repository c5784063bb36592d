"""Citation graphs in the Planetoid format: Cora, Citeseer, Pubmed. Yang et al. 2016,
arXiv:1603.08861; the split that Kipf & Welling 2017 and nearly everyone since reports on.

The files are Python-2 pickles of scipy matrices. They are read without unpickling anything: the
reader below knows arrays, one sparse matrix and a dict of lists, and refuses every other name.
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from dljax.data import fake as fake_data
from dljax.data.sources.graph import WholeGraph, undirected
from dljax.errors import UserError

# name -> nodes, features, classes
SHAPES = {"cora": (2708, 1433, 7), "citeseer": (3327, 3703, 6), "pubmed": (19717, 500, 3)}
_VALIDATION = 500


class _Dtype:
    """Stands for numpy.dtype: remembers its arguments."""

    def __init__(self, code: str, *_: Any):
        self.code, self.order = code, "<"

    def __setstate__(self, state: tuple) -> None:
        self.order = state[1]

    def numpy(self) -> np.dtype:
        if not isinstance(self.code, str) or self.code[:1] not in "bifu":
            raise ValueError(f"an array of type {self.code!r}")
        return np.dtype(self.code).newbyteorder(self.order)  # type: ignore[arg-type]


class _Ndarray:
    """Stands for numpy.ndarray: bytes, shape and type, made an array by ``numpy``."""

    def __setstate__(self, state: tuple) -> None:
        self.state = state

    def numpy(self) -> np.ndarray:
        _, shape, dtype, fortran, data = self.state
        raw = data.encode("latin1") if isinstance(data, str) else data
        return np.frombuffer(raw, dtype.numpy()).reshape(shape, order="F" if fortran else "C")


class _Csr:
    """Stands for scipy.sparse.csr_matrix."""

    def __setstate__(self, state: dict) -> None:
        self.state = state

    def dense(self) -> np.ndarray:
        state = self.state
        values, columns, starts = (state[k].numpy() for k in ("data", "indices", "indptr"))
        out = np.zeros(state.get("_shape") or state["shape"], np.float32)
        out[np.repeat(np.arange(len(starts) - 1), np.diff(starts)), columns] = values
        return out


class _Lists(dict):
    """Stands for defaultdict(list)."""

    def __init__(self, *_: Any):
        super().__init__()


def _reconstruct(kind: type, *_: Any) -> _Ndarray:
    if kind is not _Ndarray:
        raise ValueError("an array subclass")
    return _Ndarray()


class _ListName:
    """Stands for the name ``list``, defaultdict's argument; nothing is ever made of it."""

    def __new__(cls, *_: Any):
        raise ValueError("a call of list")


_ALLOWED: dict[tuple[str, str], Any] = {
    ("scipy.sparse.csr", "csr_matrix"): _Csr,
    ("scipy.sparse._csr", "csr_matrix"): _Csr,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): _Ndarray,
    ("numpy", "dtype"): _Dtype,
    ("collections", "defaultdict"): _Lists,
    ("__builtin__", "list"): _ListName,
    ("builtins", "list"): _ListName,
}


class _Reader(pickle.Unpickler):
    """An unpickler of the stand-ins above and no other name, so that a file can do nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return _ALLOWED[module, name]


def read(file: Path) -> Any:
    """A Planetoid file: an array (sparse ones made dense), or a dict of lists.

    Raises:
        UserError: the file is missing, damaged, or holds anything else.
    """
    try:
        with file.open("rb") as stream:
            found = _Reader(stream, encoding="latin1").load()
        if isinstance(found, _Ndarray):
            return found.numpy()
        if isinstance(found, _Csr):
            return found.dense()
        if isinstance(found, _Lists):
            return dict(found)
        raise ValueError(f"a {type(found).__name__}")
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from None
    except Exception as error:  # pickle raises nearly anything on damaged data
        raise UserError(
            f"{file} is no Planetoid file ({error}): give the folder of ind.*.x and its like"
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
