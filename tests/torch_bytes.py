"""Files as torch.save writes them, by hand: torch is not here, and its formats are the bytes below."""

import io
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any, NamedTuple


class Name(NamedTuple):
    """A name that a pickle mentions."""

    text: str  # "module name"


class Call(NamedTuple):
    """A call of it."""

    function: Any
    args: Any


class Kept(NamedTuple):
    """An object outside of the pickle."""

    key: Any


class State(NamedTuple):
    """An object that is given a state."""

    made: Any
    state: Any


class Raw(NamedTuple):
    """Instructions as they are."""

    code: bytes


def pickled(x: Any) -> bytes:
    """A pickle of protocol 2."""
    return b"\x80\x02" + code(x) + b"."


def code(x: Any) -> bytes:
    match x:
        case Raw(raw):
            return raw
        case Name(text):
            return b"c" + text.replace(" ", "\n", 1).encode() + b"\n"
        case Call(function, args):
            return code(function) + code(args) + b"R"
        case Kept(key):
            return code(key) + b"Q"
        case State(made, state):
            return code(made) + code(state) + b"b"
        case None:
            return b"N"
        case bool():
            return b"\x88" if x else b"\x89"
        case int():
            raw = x.to_bytes(x.bit_length() // 8 + 1, "little", signed=True)
            return b"\x8a" + bytes([len(raw)]) + raw
        case float():
            return b"G" + struct.pack(">d", x)
        case str():
            return b"X" + struct.pack("<i", len(x.encode())) + x.encode()
        case bytes():  # as Python 3 writes them in this protocol
            return code(Call(Name("_codecs encode"), (x.decode("latin1"), "latin1")))
        case tuple():
            return b"(" + b"".join(map(code, x)) + b"t"
        case list():
            return b"](" + b"".join(map(code, x)) + b"e"
        case dict():
            return b"}(" + b"".join(code(key) + code(value) for key, value in x.items()) + b"u"
    raise TypeError(type(x))


HOOKS = Call(Name("collections OrderedDict"), ())


def storage(kind: str, key: str, numel: int, *part: Any) -> Kept:
    """numel elements of a storage class."""
    return Kept(("storage", Name(kind), key, "cpu", numel, *part))


def tensor(size, stride, offset=0, kind="torch FloatStorage", key="0", numel=6, part=()) -> Call:
    """A tensor upon a storage."""
    args = (storage(kind, key, numel, *part), offset, size, stride, False, HOOKS)
    return Call(Name("torch._utils _rebuild_tensor_v2"), args)


def write_zip(path: Path, x: Any, storages: dict[str, bytes], order: str | None = "little") -> Path:
    """The format since torch 1.6."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled(x))
        if order:
            archive.writestr("archive/byteorder", order)
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key}", data)
        archive.writestr("archive/version", "3\n")
    return path


def whole_storages(x: Any) -> Any:
    """In the older formats it is said of each storage, with None, that it is no part of another."""
    match x:
        case Kept(("storage", kind, key, device, numel)):
            return Kept(("storage", kind, key, device, numel, None))
        case Call() | State() | Kept():
            return type(x)(*map(whole_storages, x))
        case Raw() | Name():
            return x
        case tuple() | list():
            return type(x)(map(whole_storages, x))
        case dict():
            return {key: whole_storages(value) for key, value in x.items()}
    return x


MAGIC = 0x1950A86A20F9469CFC6C
SYSTEM = {
    "protocol_version": 1001,
    "little_endian": True,
    "type_sizes": {"short": 2, "int": 4, "long": 4},
}


def write_legacy(path: Path, x: Any, storages: dict[str, tuple[int, bytes]]) -> Path:
    """The format before: pickles in a row, then (number of elements, elements) of each storage."""
    parts = [pickled(part) for part in (MAGIC, 1001, SYSTEM, whole_storages(x), list(storages))]
    parts += [struct.pack("<q", numel) + data for numel, data in storages.values()]
    path.write_bytes(b"".join(parts))
    return path


def write_tar(
    path: Path,
    x: Any,
    storages: dict[int, tuple[str, int, bytes]],
    parts: list[tuple[int, int, int, int]],
    tensors: dict[int, tuple[int, tuple, tuple, int]],
) -> Path:
    """The oldest format. Storages: (class, numel, elements); parts of storages: (key, storage, begin,
    numel); tensors: (storage, size, stride, offset)."""
    stored = pickled(len(storages))
    for key, (kind, numel, data) in storages.items():
        stored += pickled((key, "cpu", Name(kind))) + struct.pack("<q", numel) + data
    stored += pickled(parts)
    made = pickled(len(tensors))
    for key, (root, size, stride, offset) in tensors.items():
        made += pickled((key, root, Name("torch FloatTensor"))) + struct.pack("<ii", len(size), 0)
        made += struct.pack(f"<{2 * len(size) + 1}q", *size, *stride, offset)
    files = {"sys_info": pickled(SYSTEM), "pickle": pickled(x), "storages": stored, "tensors": made}
    with tarfile.open(path, "w:", format=tarfile.PAX_FORMAT) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def nested(times: int, one: bytes = b"\x85") -> Raw:
    """() in a tuple in a tuple ..."""
    return Raw(b")" + one * times)
