"""Files of named arrays: safetensors and npz. Nothing in a file is executed.

safetensors (github.com/huggingface/safetensors, "Format"): the header's length as 8 bytes, little-endian;
the header, JSON, ``{name: {"dtype", "shape", "data_offsets": [begin, end]}}``; the data, without holes.
"""

import json
import math
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from dljax.errors import UserError

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


def read(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file (mapped from the disk, not to be written to) or an npz file.

    Raises:
        UserError: there is no such file, it is damaged, or it is a pickle.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(9)
        if start[8:] == b"{":
            return _safetensors(path)
        if start[:2] == b"PK":
            return _npz(path)
        if path.suffix in (".bin", ".pt", ".pth", ".th", ".ckpt", ".pkl"):
            raise _pickle(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    raise _damaged(path, "it begins like neither")


def _pickle(path: Path) -> UserError:
    torch = f"torch.load({path.name!r}, map_location='cpu', weights_only=True)"
    return UserError(
        f"{path} is a pickle, which may run code; convert it, or the state_dict in it, where torch is: "
        "python -c "
        f'"import torch; from safetensors.torch import save_file; '
        f'save_file({torch}, {path.with_suffix(".safetensors").name!r})"'
    )


def _npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if any(name.endswith("data.pkl") for name in names):
            raise _pickle(path)
        with np.load(path, allow_pickle=False) as arrays:
            if len(set(arrays.files)) < len(names):
                raise ValueError("a name occurs twice")
            return {name: arrays[name] for name in arrays.files}
    except (UserError, OSError):
        raise
    except Exception as error:  # whatever zipfile, zlib and numpy find: a dozen kinds
        raise _damaged(path, str(error) or type(error).__name__) from None


def _damaged(path: Path, why: str) -> UserError:
    return UserError(
        f"{path} is damaged, or no file of weights ({' '.join(why.split())[:200]}); expected "
        "safetensors or npz without pickled objects: fetch it again"
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name occurs twice in the header")
    return found


def _safetensors(path: Path) -> dict[str, np.ndarray]:
    size = path.stat().st_size
    try:
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
    except (ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from None
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
