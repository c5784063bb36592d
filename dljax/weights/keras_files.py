"""Files of Keras, read by h5py, which is asked for when there is one: ``pip install h5py``.

Two layouts, and the names that come of them:

- Keras 1 and 2 (.h5 of a model or of weights; also Keras 3's .h5 of a model): groups ``LAYER`` below
  ``model_weights`` or the root, listed in ``layer_names``, their arrays in ``weight_names``. A name is the
  weight's own, as Keras displays it: ``dense_1/kernel``, without the ``:0`` of old files; where it has no
  layer in it, the layer's is set before.
- Keras 3 (.weights.h5, and model.weights.h5 in a .keras archive), which stores no names: arrays ``0``,
  ``1``, ... in groups ``vars``. A name is the array's path: ``layers/dense_1/vars/0``.

An optimizer's arrays are passed over. Nothing but arrays that lie in the file itself is read: HDF5 knows
links into other files, and arrays that are in none.
"""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from dljax.errors import UserError

MEMBER = "model.weights.h5"
# Deflate makes of a byte at most 1032; a larger array than that was never stored.
_DENSEST = 1032
_OWN = "top_level_model_weights"
_DEEPEST = 64  # groups in groups


def read(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .h5 file.

    Raises:
        UserError: there is no h5py.
        Exception: of many kinds, where the file is damaged or has other things than arrays.
    """
    return _read(path, path.stat().st_size)


def zipped(archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
    """The arrays of a .keras archive, as in ``read``."""
    data = archive.read(MEMBER)
    return _read(io.BytesIO(data), len(data))


def _read(file: Any, size: int) -> dict[str, np.ndarray]:
    try:
        import h5py
    except ImportError:
        raise UserError(
            "files of Keras are read by h5py, which is not here: pip install h5py"
        ) from None

    arrays: dict[str, np.ndarray] = {}
    with h5py.File(file, "r") as root:
        model = _entry(h5py, root, "model_weights") if "model_weights" in root else root
        listed = "layer_names" in model.attrs or "layer_names0" in model.attrs
        for name, dataset in _listed(h5py, model) if listed else _found(h5py, model, ""):
            if name in arrays:
                raise ValueError(f"the name {name!r:.100} occurs twice")
            arrays[name] = _array(h5py, dataset, name, size)
    if not arrays:
        raise ValueError("it has no weights where Keras keeps them")
    return arrays


def _entry(h5py: Any, group: Any, path: str) -> Any:
    """The group or array at a path below a group, by links that stay in the file."""
    for part in path.split("/"):
        if not isinstance(group, h5py.Group) or part in ("", ".", ".."):
            raise ValueError(f"no such array: {path!r:.100}")
        if not isinstance(group.get(part, getlink=True), h5py.HardLink):
            raise ValueError(f"{path!r:.100} is a link")
        group = group[part]
    return group


def _names(group: Any, attribute: str) -> list[str]:
    """A list of texts; a long one is in several attributes, which are numbered."""
    if attribute in group.attrs:
        parts = [group.attrs[attribute]]
    else:
        parts, i = [], 0
        while f"{attribute}{i}" in group.attrs:
            parts.append(group.attrs[f"{attribute}{i}"])
            i += 1
    names = [name for part in parts for name in np.asarray(part).ravel().tolist()]
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _listed(h5py: Any, model: Any) -> Iterator[tuple[str, Any]]:
    # The weights of a model that are of no layer are not in the list.
    own = [_OWN] if _OWN in model else []
    for layer in _names(model, "layer_names") + own:
        group = _entry(h5py, model, layer)
        for weight in _names(group, "weight_names"):
            name = weight.removesuffix(":0")
            yield name if "/" in name else f"{layer}/{name}", _entry(h5py, group, weight)


def _found(h5py: Any, group: Any, path: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    if depth > _DEEPEST:
        raise ValueError("its groups are nested too deeply")
    for part in group:
        if path == "" and part.startswith("optimizer"):
            continue
        entry = _entry(h5py, group, part)
        if isinstance(entry, h5py.Group):
            yield from _found(h5py, entry, f"{path}{part}/", depth + 1)
        elif path.endswith("vars/"):
            yield path + part, entry


def _array(h5py: Any, dataset: Any, name: str, size: int) -> np.ndarray:
    if not isinstance(dataset, h5py.Dataset) or dataset.is_virtual or dataset.external:
        raise ValueError(f"{name!r:.100} is no array of this file")
    low = dataset.dtype == np.dtype("V2")  # HDF5 has no bfloat16; Keras leaves it as two bytes
    if dataset.shape is None or not (low or dataset.dtype.kind in "biufc"):
        raise ValueError(f"{name!r:.100} is of type {dataset.dtype}")
    stored = dataset.id.get_storage_size()
    if stored > size or dataset.nbytes > stored * _DENSEST:
        raise ValueError(f"{name!r:.100} claims {dataset.nbytes} bytes and has {stored}")
    array = np.asarray(dataset[()])
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    return array.view(jnp.bfloat16) if low else array
