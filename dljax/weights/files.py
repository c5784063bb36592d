"""Files of named arrays: safetensors, npz, torch's and Keras's. Nothing in a file is executed.

safetensors (github.com/huggingface/safetensors, "Format"): the header's length as 8 bytes, little-endian;
the header, JSON, ``{name: {"dtype", "shape", "data_offsets": [begin, end]}}``; the data, without holes.
"""

import json
import math
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from dljax.errors import UserError
from dljax.unpickling import Refused
from dljax.weights import keras_files, llama2c, torch_files

# In the order in which the format's own library lays arrays out: the widest first, so that each lies at a
# multiple of its width.
_DTYPES = {
    "U64": np.dtype("<u8"),
    "I64": np.dtype("<i8"),
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "U32": np.dtype("<u4"),
    "I32": np.dtype("<i4"),
    "BF16": np.dtype(jnp.bfloat16),
    "F16": np.dtype("<f2"),
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
_LONGEST = 100_000_000  # bytes of header, the format's own limit
_EXPECTED = "safetensors or npz without pickled objects, or a file of torch.save or Keras"
_INDEX = ".index.json"


def read(path: str | Path, within: str = "") -> dict[str, np.ndarray]:
    """The arrays of a file of weights by their names there, told by how it begins and not by its name.

    - safetensors: mapped from the disk, not to be written to.
    - npz.
    - ``*.index.json`` of weights in several files, or the folder that it is in: all of them.
    - torch.save (.pth, .pt, .th, .bin, .ckpt): a dict of tensors. Of a checkpoint, the entry
      ``state_dict``, ``model``, ``model_state_dict``, ``net`` or ``params`` if one of them is a dict of
      tensors; without such an entry its own tensors. What is no tensor is passed over, and so is a
      prefix ``module.`` or ``_orig_mod.`` that all names have.
    - Keras (.keras, .weights.h5, .h5), where h5py is: see ``keras_files``.
    - llama2.c's first format, by Meta's names: see ``llama2c``.

    Args:
        within: the entry of a torch checkpoint to take, where it has several dicts of tensors.

    Raises:
        UserError: there is no such file, it is damaged or hostile, holds other things than arrays, or
            several dicts of them.
    """
    path = Path(path)
    try:
        if path.is_dir():
            path = _index_in(path)
        with path.open("rb") as file:
            start = file.read(512)
        alone: Callable[[Path], dict[str, np.ndarray]] | None = None
        if path.suffix == ".json":
            alone = _sharded
        elif start[8:9] == b"{":
            alone = _safetensors
        elif start[:8] == b"\x89HDF\r\n\x1a\n":
            alone = keras_files.read
        elif llama2c.fits(start, path.stat().st_size):
            alone = _llama2c
        if alone is not None:
            _check_alone(within)
            return alone(path)
        if start[:2] == b"PK":
            return _zip(path, within)
        if start[257:262] == b"ustar":
            return torch_files.tarred(path, within)
        if start[:1] == b"\x80":
            return torch_files.pickled(path, within)
        raise ValueError("it begins like none of them")
    except UserError:
        raise
    except OSError as error:
        if error.strerror is None:  # h5py's, of what is in the file
            raise _damaged(path, error) from None
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except torch_files.Choice as error:
        raise UserError(f"{path}: {error}") from None
    except Refused as error:
        raise UserError(
            f"{path} is not of tensors alone: {_line(error)}; nothing in it was run; where its code "
            "is, save the dict of tensors: torch.save(model.state_dict(), FILE)"
        ) from None
    except Exception as error:  # json, zipfile, tarfile, zlib, numpy and h5py have a dozen kinds
        raise _damaged(path, error) from None


def _llama2c(path: Path) -> dict[str, np.ndarray]:
    return llama2c.read(path).arrays


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path} is damaged, or no file of weights ({_line(error) or type(error).__name__}); "
        f"expected {_EXPECTED}: fetch it again"
    )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _check_alone(within: str) -> None:
    if within:
        raise torch_files.Choice(f"files of its kind have no dicts in them: leave out {within=}")


def _index_in(folder: Path) -> Path:
    usual = folder / f"model.safetensors{_INDEX}"
    found = [usual] if usual.exists() else sorted(folder.glob(f"*{_INDEX}"))
    if len(found) != 1:
        has = f"a folder with {len(found)} files *{_INDEX}"
        raise UserError(f"{folder} cannot be read: it is {has}, expected one; name the file")
    return found[0]


def _sharded(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an index, ``{"weight_map": {name: file beside it}}``: each in its file, no others."""
    if path.stat().st_size > _LONGEST:
        raise ValueError("an index of too many bytes")
    index = json.loads(path.read_text("utf-8"), object_pairs_hook=_unique)
    files = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(files, dict) or not files:
        raise ValueError("an index without a weight_map")
    for name in files.values():
        plain = isinstance(name, str) and not {"/", "\\", "\0"} & set(name)
        if not plain or name in ("", ".", "..") or name.endswith(".json"):
            raise ValueError(
                f"the weight_map has {name!r:.60}, which is no name of a file beside it"
            )
    arrays: dict[str, np.ndarray] = {}
    for name in sorted(set(files.values())):
        shard = read(path.with_name(name))
        mapped = {array for array, file in files.items() if file == name}
        for array in sorted(mapped ^ shard.keys())[:1]:
            whose = "has no" if array in mapped else "has, without a line in the index,"
            raise UserError(
                f"{path.with_name(name)} {whose} {array!r:.100}: they are of other downloads"
            )
        arrays |= shard
    return arrays


def _zip(path: Path, within: str) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        pickled = any(name.endswith("data.pkl") for name in names)
        if pickled or keras_files.MEMBER in names:
            parts = archive.infolist()
            # Neither is ever compressed, so that more bytes than the file has are the same ones twice.
            if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
                raise ValueError("a compressed part, which torch and Keras never write")
            if sum(part.file_size for part in parts) > path.stat().st_size:
                raise ValueError("its parts claim to be longer than the file")
            if pickled:
                return torch_files.zipped(archive, within)
            _check_alone(within)
            return keras_files.zipped(archive)
    _check_alone(within)
    with np.load(path, allow_pickle=False) as arrays:
        if len(set(arrays.files)) < len(names):
            raise ValueError("a name occurs twice")
        return {name: arrays[name] for name in arrays.files}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name occurs twice in the header")
    return found


def _safetensors(path: Path) -> dict[str, np.ndarray]:
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(size - 8, _LONGEST):
            raise ValueError(f"a header of {length} bytes in a file of {size}")
        header = json.loads(file.read(length), object_pairs_hook=_unique)
    header.pop("__metadata__", None)
    data = np.memmap(path, np.uint8, "r")[8 + length :]
    arrays, spans = {}, []
    for name, row in header.items():
        dtype, shape, (begin, end) = _row(name, row)
        if not begin <= end <= data.size:
            raise ValueError(f"{name!r:.100} lies outside the file")
        if math.prod(shape) * dtype.itemsize != end - begin:
            raise ValueError(f"{name!r:.100} has {end - begin} bytes for {shape} of {dtype}")
        spans.append((begin, end))
        arrays[name] = np.asarray(data[begin:end]).view(dtype).reshape(shape)
    at = 0
    for begin, end in [*sorted(spans), (data.size, data.size)]:
        if begin != at:
            raise ValueError(f"arrays overlap, or leave a hole, at byte {at} of the data")
        at = end
    return arrays


def _row(name: str, row: Any) -> tuple[np.dtype, list[int], list[int]]:
    """(dtype, shape, offsets) of one array's row in the header."""

    def whole(numbers: Any, most: int) -> bool:
        if not isinstance(numbers, list) or len(numbers) > most:
            return False
        return all(type(x) is int and 0 <= x < 2**63 for x in numbers)

    if not isinstance(row, dict) or not {"dtype", "shape", "data_offsets"} <= row.keys():
        raise ValueError(f"{name!r:.100} has no dtype, shape and data_offsets")
    dtype, shape, offsets = row["dtype"], row["shape"], row["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise ValueError(f"{name!r:.100} is of type {dtype!r:.20}, known: {', '.join(_DTYPES)}")
    if not whole(shape, 64) or not whole(offsets, 2) or len(offsets) != 2:
        raise ValueError(f"{name!r:.100} has shape {shape!r:.60} and offsets {offsets!r:.60}")
    return _DTYPES[dtype], shape, offsets


def write(path: str | Path, arrays: Mapping[str, Any]) -> None:
    """Write a safetensors file: beside it first, then renamed.

    Raises:
        UserError: an array is of a type that the format does not have, or the disk refuses.
    """
    path = Path(path)
    named = {name: np.asarray(array) for name, array in arrays.items()}
    header: dict[str, Any] = {}
    parts, at = [], 0
    for code, dtype in _DTYPES.items():
        for name in sorted(
            n for n, array in named.items() if array.dtype.newbyteorder("<") == dtype
        ):
            array = named[name].astype(dtype, copy=False)
            offsets = [at, at := at + array.nbytes]
            header[name] = {"dtype": code, "shape": list(array.shape), "data_offsets": offsets}
            parts.append(array)
    for name in named:
        if name not in header or name == "__metadata__":
            raise UserError(
                f"{name!r} of type {named[name].dtype} cannot be written as safetensors, which has "
                f"the types {', '.join(_DTYPES)}"
            )
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for part in parts:
                file.write(part.tobytes())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from None
