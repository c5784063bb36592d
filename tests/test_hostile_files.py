"""Files of torch.save that are damaged, or claim what they do not have: one line."""

import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
from refusal import refused
from torch_bytes import (
    HOOKS,
    MAGIC,
    SYSTEM,
    Call,
    Kept,
    Name,
    Raw,
    State,
    code,
    nested,
    pickled,
    storage,
    tensor,
    write_legacy,
    write_tar,
    write_zip,
)

from dljax import weights

SIX = struct.pack("<6f", 0, 1, 2, 3, 4, 5)
X = tensor((6,), (1,))


def odd(*args) -> dict:
    return {"x": Call(Name("torch._utils _rebuild_tensor_v2"), args)}


FLOATS = storage("torch FloatStorage", "0", 6)
TENSORS = {
    "no arguments": (odd(), "missing 4 required"),
    "no storage": (odd("0", 0, (6,), (1,), False, HOOKS), "without a storage"),
    "beyond the end": ({"x": tensor((7,), (1,))}, "in a storage of 6 elements"),
    "beyond the end by its offset": ({"x": tensor((6,), (1,), 1)}, "offset 1 in a storage of 6"),
    "beyond the end by its strides": ({"x": tensor((2,), (6,))}, "strides (6,)"),
    "repeated": ({"x": tensor((2**40,), (0,))}, "size (1099511627776,)"),
    "overlapping": ({"x": tensor((4, 4), (1, 0))}, "in a storage of 6"),
    "a negative offset": ({"x": tensor((6,), (1,), -1)}, "are none"),
    "a negative stride": ({"x": tensor((6,), (-1,), 5)}, "are none"),
    "a negative size": ({"x": tensor((-6,), (1,))}, "are none"),
    "a fraction": ({"x": tensor((6.0,), (1,))}, "are none"),
    "a truth": ({"x": tensor((True,), (1,))}, "are none"),
    "a list of sizes": ({"x": tensor([6], (1,))}, "are none"),
    "a nested size": ({"x": tensor(nested(100_000), (1,))}, "are none"),
    "a size of many texts": ({"x": tensor(nested(60, b"2\x86"), (1,))}, "are none"),
    "fewer strides": ({"x": tensor((2, 3), (1,))}, "are none"),
    "many axes": ({"x": tensor((1,) * 65, (1,) * 65)}, "are none"),
    "more axes than arrays here have": ({"x": tensor((0,) * 64 + (1,), (1,) * 65)}, "are none"),
    "none of a great many": ({"x": tensor((0, 2**62, 2**62), (1, 1, 1))}, "array"),
    "a product that overflows": ({"x": tensor((2**32, 2**32), (1, 1))}, "in a storage of 6"),
    "a lazy tensor": (odd(FLOATS, 0, (6,), (1,), False, HOOKS, {"neg": True}), "negated"),
    "a class that is no storage": ({"x": tensor((6,), (1,), kind="torch FloatTensor")}, "storage"),
    "an unknown storage": ({"x": tensor((6,), (1,), kind="torch QInt8Storage")}, "QInt8Storage"),
    "a storage without a key": ({"x": tensor((6,), (1,), key=nested(9))}, "without a key"),
    "a storage of no length": ({"x": tensor((6,), (1,), numel=-6)}, "or a length"),
    "another kind of part": (
        odd(Kept(("module", Name("torch FloatStorage"), "", "", 6))),
        "no sto",
    ),
    "a part that is a text": (odd(Kept("storage")), "no storage"),
    "a storage that claims more": ({"x": tensor((6,), (1,), numel=2**40)}, ""),
    "a storage that is not there": ({"x": tensor((6,), (1,), key="7")}, "damaged"),
    "a part outside": ({"x": tensor((1,), (1,), part=(("v", 4, 3),))}, "outside of it"),
    "a parameter of none": (
        {"x": Call(Name("torch._utils _rebuild_parameter"), (6,))},
        "no tensor",
    ),
    "an array of other data": (
        {
            "y": X,
            "x": State(
                Call(Name("numpy.core.multiarray _reconstruct"), (Name("numpy ndarray"), (0,), 0)),
                (1, (2**40,), Call(Name("numpy dtype"), ("f4",)), False, b"abcd"),
            ),
        },
        "other data",
    ),
}


@pytest.mark.parametrize("case", TENSORS)
def test_tensors(case, tmp_path):
    saved, words = TENSORS[case]
    for path in (
        write_zip(tmp_path / "x.pt", saved, {"0": SIX}),
        write_legacy(tmp_path / "x.pth", saved, {"0": (6, SIX)}),
    ):
        with refused(str(path), " is ", words):
            weights.read(path)


@pytest.mark.parametrize("form", ["zip", "legacy", "tar"])
def test_cut_and_changed(form, tmp_path):
    """Every beginning of a file and every changed byte: an array of these or one line, no other end."""
    path = tmp_path / "x.pt"
    if form == "zip":
        write_zip(path, {"x": X}, {"0": SIX})
    elif form == "legacy":
        write_legacy(path, {"x": X}, {"0": (6, SIX)})
    else:
        stored = {1: ("torch FloatStorage", 6, SIX)}
        write_tar(path, {"x": Kept("2")}, stored, [], {2: (1, (6,), (1,), 0)})
    whole = path.read_bytes()
    assert weights.read(path)["x"].tolist() == [0, 1, 2, 3, 4, 5]
    step = 1 + len(whole) // 200
    versions = [whole[:n] for n in range(0, len(whole), step)]
    versions += [
        whole[:n] + bytes([whole[n] ^ 0x55]) + whole[n + 1 :] for n in range(0, len(whole), step)
    ]
    refusals = 0
    for version in versions:
        path.write_bytes(version)
        try:
            found = weights.read(path)
        except weights.files.UserError as error:
            assert "\n" not in str(error) and str(path) in str(error)
            refusals += 1
        else:
            assert sum(x.size for x in found.values()) <= 6
    assert refusals > 100  # of some 400; the others change padding, a number, or another name


NESTS = {
    "tuples": Raw(b"(" * 100_000 + b"t" * 100_000),
    "lists": Raw(b"(" * 100_000 + b"l" * 100_000),
    "dicts": Raw(b"}K\x01" * 100_000 + b"N" + b"s" * 100_000),
}


@pytest.mark.parametrize("kind", NESTS)
def test_deep_nests(kind, tmp_path):
    """Read, passed over and taken apart again; as a key or as a size they would break the interpreter."""
    nest = NESTS[kind]
    path = write_zip(tmp_path / "x.pt", {"x": X, "more": nest}, {"0": SIX})
    assert weights.read(path)["x"].shape == (6,)
    keyed = Raw(b"}" + code(nest) + b"K\x01s")
    path = write_zip(tmp_path / "x.pt", {"x": X, "more": keyed}, {"0": SIX})
    with refused(f"key of kind {kind[:-1]}"):
        weights.read(path)


def test_a_list_in_itself(tmp_path):
    loop = Raw(b"]q\x07h\x07a")
    path = write_zip(tmp_path / "x.pt", {"x": X, "more": loop}, {"0": SIX})
    assert weights.read(path).keys() == {"x"}


def archive(path: Path, parts: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", how) as out:
        for name, data in parts.items():
            out.writestr(name, data)
    return path


GOOD = {"archive/data.pkl": pickled({"x": X}), "archive/data/0": SIX}


@pytest.mark.parametrize(
    "parts, words",
    [
        ({**GOOD, "other/data.pkl": GOOD["archive/data.pkl"]}, "2 files data.pkl"),
        ({**GOOD, "archive/byteorder": b"middle"}, "the order 'middle'"),
        ({**GOOD, "archive/data/0": SIX[:-1]}, "23 bytes for 6 elements"),
        ({"archive/data.pkl": GOOD["archive/data.pkl"]}, "archive/data/0"),
    ],
)
def test_archives(parts, words, tmp_path):
    with refused("x.pt is damaged", words):
        weights.read(archive(tmp_path / "x.pt", parts))


def test_a_compressed_archive(tmp_path):
    """Torch stores; a storage of a gigabyte of zeros would be a megabyte of a hostile file."""
    with refused("x.pt is damaged", "compressed"):
        weights.read(archive(tmp_path / "x.pt", {**GOOD, "archive/data/0": bytes(10)}, 8))


def test_names_that_leave_the_folder(tmp_path):
    """Nothing is unpacked: the storage is found by its name, and nothing is written."""
    inside = tmp_path / "inside"
    inside.mkdir()
    saved = {"x": tensor((6,), (1,), key="../../escaped")}
    parts = {"a/data.pkl": pickled(saved), "a/data/../../escaped": SIX, "../up": b"x", "/top": b"x"}
    assert weights.read(archive(inside / "x.pt", parts))["x"][5] == 5
    assert [p.name for p in tmp_path.rglob("*")] == ["inside", "x.pt"]


def test_an_archive_of_one_part_many_times(tmp_path):
    """The directory lists the same megabyte a thousand times."""
    path = archive(tmp_path / "x.pt", {**GOOD, "archive/data/1": bytes(10_000)})
    whole = path.read_bytes()
    at = whole.index(b"PK\x01\x02", whole.rindex(b"archive/data/0"))
    end = whole.index(b"PK\x05\x06")
    rows = b"".join(
        whole[at:end].replace(b"archive/data/1", b"archive/data/%c" % c) for c in b"23456789"
    )
    directory = whole.index(b"PK\x01\x02")
    tail = whole[end : end + 8] + struct.pack(
        "<HHII", 11, 11, end - directory + len(rows), directory
    )
    path.write_bytes(whole[:end] + rows + tail + b"\0\0")
    with refused("x.pt is damaged", "claim to be longer than the file"):
        weights.read(path)


def test_the_older_formats_parts(tmp_path):
    path = tmp_path / "x.pth"
    rest = struct.pack("<q", 6) + SIX
    begin = b"".join(map(pickled, (MAGIC, 1001, SYSTEM, {"x": X})))
    for keys, words in (
        (["1"], "storage '1' is of no tensor"),
        ([nested(9)], "neither a text"),
        ([], "'0' is not there"),
    ):
        path.write_bytes(begin + pickled(keys) + rest)
        with refused("x.pth is damaged", words):
            weights.read(path)
    path.write_bytes(begin + pickled(["0"]) + struct.pack("<q", 2**50) + SIX)
    with refused("x.pth is damaged", "a storage of 1125899906842624 elements, and 24 bytes"):
        weights.read(path)
    path.write_bytes(begin + pickled(["0"]) + struct.pack("<q", 3) + SIX)
    with refused("x.pth is damaged", "12 bytes for 6 elements"):
        weights.read(path)
    two = {"x": X, "y": tensor((1,), (1,), kind="torch LongStorage")}
    write_legacy(path, two, {"0": (6, SIX)})
    with refused("x.pth is damaged", "a storage of two types"):
        weights.read(path)


def test_the_oldest_formats_parts(tmp_path):
    stored = {1: ("torch FloatStorage", 6, SIX)}
    good = {2: (1, (6,), (1,), 0)}
    for parts, tensors, words in (
        ([(3, 1, 4, 3)], good, "outside of it"),
        ([(3, 1, -1, 3)], good, "a part of what is no storage"),
        ([], {2: (1, (7,), (1,), 0)}, "in a storage of 6"),
        ([], {2: (1, (6,), (1,), -4)}, "are none"),
        ([], {2: (9, (6,), (1,), 0)}, "9"),
        ([], {3: (1, (6,), (1,), 0)}, "2"),
    ):
        path = write_tar(tmp_path / "x.pth", {"x": Kept("2")}, stored, parts, tensors)
        with refused("x.pth is damaged", words):
            weights.read(path)
    path = write_tar(tmp_path / "x.pth", Call(Name("os system"), ("true",)), stored, [], good)
    with refused("x.pth is not of tensors alone", "'os.system'"):
        weights.read(path)
    with tarfile.open(path, "w:") as out:  # a link to another file
        for name in ("storages", "tensors", "pickle"):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            out.addfile(member)
    with refused("x.pth is damaged", "no plain file"):
        weights.read(path)
