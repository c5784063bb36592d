"""Files of torch.save, read as data: nothing of them is executed, nothing is written to the disk.

Three formats, all with a pickle in which a tensor is a call of ``torch._utils._rebuild_tensor*`` upon a
storage, and a storage a persistent id (torch/serialization.py has them):

- since torch 1.6 a zip archive, uncompressed: ``NAME/data.pkl``, a storage's bytes in ``NAME/data/KEY``, and
  ``NAME/byteorder``;
- before it pickles in a row (a magic number, the version, facts of the machine, the object, the storages'
  keys), and each storage as its length in 8 bytes and its elements, all little-endian;
- before version 0.2 a tar archive of the files ``storages``, ``tensors`` and ``pickle``.
"""

import io
import math
import mmap
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from dljax.unpickling import ARRAYS, Array, Made, Name, Refused, unpickle, whole

_MAGIC = 0x1950A86A20F9469CFC6C
_STORAGES = {
    "Double": np.float64,
    "Float": np.float32,
    "Half": np.float16,
    "BFloat16": jnp.bfloat16,
    "Long": np.int64,
    "Int": np.int32,
    "Short": np.int16,
    "Char": np.int8,
    "Byte": np.uint8,
    "Bool": np.bool_,
    "ComplexFloat": np.complex64,
    "ComplexDouble": np.complex128,
}
_UNTYPED = (np.uint16, np.uint32, np.uint64, jnp.float8_e4m3fn, jnp.float8_e5m2)
_DTYPES = {np.dtype(kind).name: np.dtype(kind) for kind in (*_STORAGES.values(), *_UNTYPED)}
# The dict of tensors in a checkpoint that holds other things beside it.
_CHOSEN = ("state_dict", "model", "model_state_dict", "net", "params")
_WRAPPERS = ("module.", "_orig_mod.")


class Choice(ValueError):
    """A checkpoint with several dicts of tensors, or without the one that was asked for."""


class _Storage(NamedTuple):
    """A part of memory: ``numel`` elements from byte ``begin`` on of what the file has under ``key``."""

    key: Any
    dtype: np.dtype
    numel: int
    begin: int = 0


class _Tensor(Made):
    """A stand-in for torch.Tensor, whose storage may not have been reached yet."""

    def __init__(self, storage: Any, offset: Any, size: Any, stride: Any, dtype: Any = None):
        if not isinstance(storage, _Storage):
            raise Refused("it has a tensor without a storage")
        if not whole((offset,)) or not whole(size) or not whole(stride) or len(size) != len(stride):
            raise ValueError("a tensor whose size, strides or offset are none")
        if dtype is not None:
            numel = storage.numel * storage.dtype.itemsize // dtype.itemsize
            storage = storage._replace(dtype=dtype, numel=numel)
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride

    def numpy(self, raw: bytes, order: str) -> np.ndarray:
        """The array, in the memory of its storage."""
        numel, dtype = math.prod(self.size), self.storage.dtype
        if numel == 0:
            return np.zeros(self.size, dtype)
        last = sum((n - 1) * s for n, s in zip(self.size, self.stride, strict=True))
        # One with more elements than its storage repeats them; a small file would fill the memory.
        if self.offset + last >= self.storage.numel or numel > self.storage.numel:
            raise ValueError(
                f"a tensor of size {self.size}, strides {self.stride} and offset {self.offset} in a "
                f"storage of {self.storage.numel} elements"
            )
        begin, wide = self.storage.begin, dtype.itemsize
        if begin + self.storage.numel * wide > len(raw):
            raise ValueError(f"{len(raw)} bytes for {self.storage.numel} elements of {dtype}")
        array = np.ndarray(
            self.size, dtype, raw, begin + self.offset * wide, tuple(s * wide for s in self.stride)
        )
        return array.byteswap() if order == "big" else array


def _rebuild(storage: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> _Tensor:
    """A tensor, after which come whether it has a gradient, its hooks, and what is lazy about it."""
    if any(rest[2:]):
        raise Refused("it has a tensor that is to be negated or conjugated")
    return _Tensor(storage, offset, size, stride)


def _rebuild_untyped(
    storage: Any, offset: Any, size: Any, stride: Any, _grad: Any, _hooks: Any, dtype: Any, *_: Any
) -> _Tensor:
    name = dtype.text.removeprefix("torch ") if isinstance(dtype, Name) else ""
    if name not in _DTYPES:
        raise Refused(f"it has a tensor of type {name!r:.40}")
    return _Tensor(storage, offset, size, stride, _DTYPES[name])


def _parameter(data: Any, *_: Any) -> Any:
    if not isinstance(data, _Tensor):
        raise Refused("it has a parameter that is no tensor")
    return data


def _size(numbers: Any = ()) -> tuple[int, ...]:
    if not whole(tuple(numbers)):
        raise ValueError("a size that is none")
    return tuple(numbers)


class _Besides(Made):
    """A stand-in for what checkpoints hold beside weights: a device, the command line's arguments."""

    def __init__(self, *_: Any):
        pass


_NAMES: dict[str, Callable[..., Any] | None] = {
    **ARRAYS,
    "torch._utils _rebuild_tensor": _rebuild,
    "torch._utils _rebuild_tensor_v2": _rebuild,
    "torch._utils _rebuild_tensor_v3": _rebuild_untyped,
    "torch._utils _rebuild_parameter": _parameter,
    "torch._utils _rebuild_parameter_with_state": _parameter,
    "torch.nn.parameter Parameter": _parameter,
    "torch Size": _size,
    "torch device": _Besides,
    "argparse Namespace": _Besides,
    "torch.storage UntypedStorage": None,
    "torch UntypedStorage": None,
    **{f"torch {name}": None for name in _DTYPES},
}
for _module in ("torch", "torch.cuda"):
    _NAMES |= {f"{_module} {name}Storage": None for name in _STORAGES}
    _NAMES |= {f"{_module} {name}Tensor": None for name in _STORAGES}


def _dtype(kind: Any) -> np.dtype:
    """The element of a storage class."""
    name = kind.text.rpartition(" ")[2] if isinstance(kind, Name) else ""
    if name == "UntypedStorage":
        return np.dtype(np.uint8)
    if not name.endswith("Storage"):
        raise Refused("it has a storage of no known type")
    return np.dtype(_STORAGES[name.removesuffix("Storage")])


def _storage(saved: Any) -> _Storage:
    """("storage", class, key, device, numel[, (key, begin, numel) of a part of it])."""
    if not isinstance(saved, tuple) or len(saved) not in (5, 6) or saved[0] != "storage":
        raise Refused("it has a part that is no storage")
    _, kind, key, _, numel, *part = saved
    if not isinstance(key, str) or not whole((numel,)):
        raise ValueError("a storage without a key or a length")
    if not part or part[0] is None:
        return _Storage(key, _dtype(kind), numel)
    _, begin, length = part[0]
    if not whole((begin, length)) or begin + length > numel:
        raise ValueError(f"a part of a storage of {numel} elements that lies outside of it")
    return _Storage(key, _dtype(kind), length, begin * _dtype(kind).itemsize)


def zipped(archive: zipfile.ZipFile, within: str = "") -> dict[str, np.ndarray]:
    """The arrays of an archive that has a ``data.pkl``.

    Raises:
        Refused, ValueError, zipfile.BadZipFile and others: as in ``pickled``.
    """
    names = archive.namelist()
    if len(set(names)) < len(names):
        raise ValueError("a name occurs twice")
    pickles = [n for n in names if n == "data.pkl" or n.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise ValueError(f"{len(pickles)} files data.pkl")
    root = pickles[0].removesuffix("data.pkl")
    order = "little"
    if f"{root}byteorder" in names:
        order = archive.read(f"{root}byteorder").decode().strip()
    if order not in ("little", "big"):
        raise ValueError(f"bytes in the order {order!r:.20}")
    found = unpickle(io.BytesIO(archive.read(pickles[0])), _NAMES, _storage)
    return _arrays(found, lambda key: archive.read(f"{root}data/{key}"), within, order)


def pickled(path: Path, within: str = "") -> dict[str, np.ndarray]:
    """The arrays of a file that begins with a pickle: torch's older format, or a dict of NumPy arrays.

    Args:
        within: the checkpoint's entry that has them; by default the one that is a dict of tensors
            and called state_dict, model, model_state_dict, net or params, else the whole.

    Raises:
        Refused: it holds anything but tensors, arrays, numbers, texts and plain containers, or several
            dicts to choose from.
        Exception: of many kinds, where it is damaged.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as stream:
        found = unpickle(stream, _NAMES)
        if found != _MAGIC:
            return _arrays(found, _nowhere, within)
        unpickle(stream)  # the version
        unpickle(stream)  # facts of the machine, all of whose files have one order of bytes
        storages: dict[str, int] = {}

        def persistent(saved: Any) -> _Storage:
            storage = _storage(saved)
            if storages.setdefault(storage.key, storage.dtype.itemsize) != storage.dtype.itemsize:
                raise ValueError("a storage of two types")
            return storage

        found = unpickle(stream, _NAMES, persistent)
        places: dict[str, tuple[int, int]] = {}
        for key in unpickle(stream):
            if _plain(key) not in storages:
                raise ValueError(f"the storage {key!r:.60} is of no tensor")
            places[key] = _skip(stream, storages[key])

        def raw(key: Any) -> bytes:
            if key not in places:
                raise ValueError(f"the storage {key!r:.60} is not there")
            begin, end = places[key]
            return stream[begin:end]

        return _arrays(found, raw, within)


def tarred(path: Path, within: str = "") -> dict[str, np.ndarray]:
    """The arrays of a tar archive, as in ``pickled``."""
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        tarfile.open(fileobj=mapped, mode="r:") as archive,
    ):
        members = {member.name: member for member in archive.getmembers()}

        def part(name: str) -> io.BytesIO:
            member = members[name]
            if not member.isreg() or member.issparse() or member.size > len(mapped):
                raise ValueError(f"{name} is no plain file in it")
            found = archive.extractfile(member)
            return io.BytesIO(b"" if found is None else found.read())

        stream, pieces = part("storages"), part("tensors")
        known: dict[int, _Storage | _Tensor] = {}
        places: dict[Any, tuple[int, int]] = {}
        for _ in range(_count(unpickle(stream, _NAMES))):
            key, _, kind = unpickle(stream, _NAMES)
            wide = _dtype(kind).itemsize
            begin, end = places[_plain(key)] = _skip(stream, wide)
            known[key] = _Storage(key, _dtype(kind), (end - begin) // wide)
        for key, root, begin, numel in unpickle(stream, _NAMES):
            whole_one = known[_plain(root)]
            if not isinstance(whole_one, _Storage) or not whole((begin, numel)):
                raise ValueError("a part of what is no storage")
            if begin + numel > whole_one.numel:
                raise ValueError("a part of a storage that lies outside of it")
            begin = whole_one.begin + begin * whole_one.dtype.itemsize
            known[_plain(key)] = whole_one._replace(begin=begin, numel=numel)
        for _ in range(_count(unpickle(pieces, _NAMES))):
            key, root, _ = unpickle(pieces, _NAMES)
            axes = int.from_bytes(pieces.read(8)[:4], "little")
            data = pieces.read(8 * (2 * axes + 1))
            numbers = np.frombuffer(data, "<i8", 2 * axes + 1).tolist()
            size, stride = tuple(numbers[:axes]), tuple(numbers[axes:-1])
            known[_plain(key)] = _Tensor(known[_plain(root)], numbers[-1], size, stride)
        found = unpickle(part("pickle"), _NAMES, lambda saved: known[int(saved)])
        memory = stream.getbuffer()

        def raw(key: Any) -> bytes:
            begin, end = places[key]
            return bytes(memory[begin:end])

        return _arrays(found, raw, within)


def _plain(key: Any) -> Any:
    """A key of a storage; a tuple nested deeply enough would break the interpreter."""
    if not isinstance(key, str | int):
        raise ValueError("a key that is neither a text nor a number")
    return key


def _count(number: Any) -> int:
    if not whole((number,)):
        raise ValueError("a number of parts that is none")
    return number


def _skip(stream: Any, width: int) -> tuple[int, int]:
    """Begin and end of a storage's elements; the stream moves behind them."""
    numel = int.from_bytes(stream.read(8), "little")
    begin = stream.tell()
    end, size = begin + numel * width, stream.seek(0, 2) or stream.tell()
    if end > size:
        raise ValueError(f"a storage of {numel} elements, and {size - begin} bytes to the end")
    stream.seek(end)
    return begin, end


def _nowhere(key: Any) -> bytes:
    raise ValueError("a tensor without its numbers")


def _tensors(found: Any) -> dict[str, _Tensor | Array]:
    """The tensors of a dict; its other entries (counts, texts) are passed over."""
    if not isinstance(found, dict):
        return {}
    return {
        name: value
        for name, value in found.items()
        if isinstance(name, str) and isinstance(value, _Tensor | Array)
    }


def _chosen(found: Any, within: str) -> dict[str, _Tensor | Array]:
    if not isinstance(found, dict):
        raise Refused(f"it has a {type(found).__name__} in place of a dict of tensors")
    dicts = [name for name, entry in found.items() if isinstance(name, str) and _tensors(entry)]
    listed = ", ".join(f"{name!r:.60}" for name in dicts[:5]) or "none"
    if within:
        if within not in dicts:
            raise Choice(f"there is no dict of tensors {within!r:.60}; there are: {listed}")
        return _tensors(found[within])
    usual = [name for name in _CHOSEN if name in dicts]
    tensors = _tensors(found[usual[0]]) if usual else _tensors(found)
    if len(usual) > 1 or (dicts and not tensors):
        raise Choice(f"of its dicts of tensors, {listed}, say one: within={dicts[0]!r:.60}")
    if not tensors:
        raise Refused("it has no dict of tensors")
    return tensors


def _arrays(
    found: Any, raw: Callable[[Any], bytes], within: str, order: str = "little"
) -> dict[str, np.ndarray]:
    """The chosen arrays by name, without the wrappers' prefix; each storage is read once."""
    tensors = _chosen(found, within)
    read: dict[Any, bytes] = {}
    arrays = {}
    for name, tensor in tensors.items():
        if isinstance(tensor, Array):
            arrays[name] = tensor.numpy()
            continue
        key = tensor.storage.key
        if key not in read:
            read[key] = raw(key)
        arrays[name] = tensor.numpy(read[key], order)
    return _unwrapped(arrays)


def _unwrapped(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The names without the prefixes of DataParallel and torch.compile, where all have them."""
    for prefix in (p for p in _WRAPPERS for name in list(arrays)[:1] if name.startswith(p)):
        if all(name.startswith(prefix) for name in arrays):
            return _unwrapped({name.removeprefix(prefix): x for name, x in arrays.items()})
    return dict(arrays)
