"""Files of weights, and the maps from other libraries' names. Expected values are written by hand."""

import json
import zipfile
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from parity_rows import NO_MAPS
from refusal import refused

import dljax.weights
from dljax import catalog, weights
from dljax.weights import Entry, Join


def file(path: Path, header, data: bytes = b"", length: int | None = None) -> Path:
    """A file of the format's three parts."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
    return path


def row(dtype: str, shape: list, begin, end) -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


# 1.0 is 3f80 0000 in float32, its upper half in bfloat16, and 3c00 in float16; the least byte is first.
BYTES = {
    "F64": (bytes(6) + b"\xf0\x3f" + bytes(6) + b"\x00\xc0", np.float64, [1.0, -2.0]),
    "F32": (b"\x00\x00\x80\x3f\x00\x00\x00\xc0", np.float32, [1.0, -2.0]),
    "BF16": (b"\x80\x3f\x00\xc0", jnp.bfloat16, [1.0, -2.0]),
    "F16": (b"\x00\x3c\x00\xc0", np.float16, [1.0, -2.0]),
    "I64": (b"\x02\x01" + bytes(6) + b"\xff" * 8, np.int64, [258, -1]),
    "I32": (b"\x02\x01\x00\x00\xff\xff\xff\xff", np.int32, [258, -1]),
    "I16": (b"\x02\x01\xff\xff", np.int16, [258, -1]),
    "I8": (b"\x02\xff", np.int8, [2, -1]),
    "U64": (b"\x02\x01" + bytes(6) + b"\xff" * 8, np.uint64, [258, 2**64 - 1]),
    "U32": (b"\x02\x01\x00\x00\xff\xff\xff\xff", np.uint32, [258, 2**32 - 1]),
    "U16": (b"\x02\x01\xff\xff", np.uint16, [258, 2**16 - 1]),
    "U8": (b"\x02\xff", np.uint8, [2, 255]),
    "BOOL": (b"\x01\x00", np.bool_, [True, False]),
}


@pytest.mark.parametrize("dtype", BYTES)
def test_safetensors_types(dtype, tmp_path):
    """Read from bytes of the specification, and written as those bytes."""
    data, kind, values = BYTES[dtype]
    header = json.dumps({"x": row(dtype, [2], 0, len(data))}, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    path = file(tmp_path / "by_hand.safetensors", header, data)
    found = weights.read(path)["x"]
    assert found.dtype == kind and found.tolist() == values
    with pytest.raises(ValueError, match="read-only"):  # a map of the file
        found[0] = 0
    for order in "<>":
        array = np.array(values, kind)
        if dtype != "BF16":
            array = array.astype(array.dtype.newbyteorder(order))
        weights.write(tmp_path / "written", {"x": array})
        assert (tmp_path / "written").read_bytes() == path.read_bytes()


def test_safetensors_layout(tmp_path):
    """Several arrays, in C order, wherever the header puts them; metadata and padding are passed over."""
    header = {
        "__metadata__": {"format": "pt"},
        "b": row("U8", [2, 3], 4, 10),
        "a": row("F32", [], 0, 4),
        "none": row("F32", [0, 7], 10, 10),
    }
    path = file(
        tmp_path / "x", json.dumps(header).encode() + b"   ", b"\x00\x00\x80\x3f" + bytes(range(6))
    )
    found = weights.read(path)
    assert found.keys() == {"a", "b", "none"}
    assert found["a"].shape == () and found["a"] == 1
    assert found["b"].tolist() == [[0, 1, 2], [3, 4, 5]] and found["none"].shape == (0, 7)


def test_write_and_read_again(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_text("old")
    arrays = {
        "byte": np.arange(3, dtype=np.uint8),
        "kernel.ä": np.arange(6.0, dtype=np.float32).reshape(2, 3).T,
        "low": jnp.arange(3, dtype=jnp.bfloat16),
        "count": np.int64(7),
        "none": np.zeros((2, 0), np.float16),
    }
    weights.write(path, arrays)
    found = weights.read(path)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].shape == np.shape(array) and found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], np.asarray(array))
        assert found[name].flags.aligned, name
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # nothing is left beside it


def test_a_file_is_whole_or_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    weights.write(path, {"x": np.zeros(2)})
    before = path.read_bytes()

    def full(descriptor):
        assert path.read_bytes() == before
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with refused("x.safetensors cannot be written", "No space left"):
        weights.write(path, {"x": np.ones(2)})
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name, array", [("x", np.array(["a"])), ("__metadata__", np.zeros(1))])
def test_what_cannot_be_written(name, array, tmp_path):
    with refused(repr(name), "cannot be written"):
        weights.write(tmp_path / "x", {name: array})


ONE = {"x": row("U8", [4], 0, 4)}
HOSTILE = {
    "empty": (b"", b"", 0, "like none of them"),
    "header beyond the file": (ONE, b"abcd", 10**6, "a header of 1000000 bytes"),
    "header of all the bytes there are": (ONE, b"abcd", 2**64 - 1, "a header of"),
    "no JSON": (b"{nonsense", b"", None, "property name"),
    "not UTF-8": (b'{"\xff": 1}', b"", None, "utf-8"),
    "deeply nested": (b'{"x":' + b"[" * 100_000, b"", None, "recursion"),
    "a number of many digits": (b'{"x": ' + b"9" * 5000 + b"}", b"", None, "5000 digits"),
    "a row that is no table": ({"x": 3}, b"", None, "no dtype"),
    "a row without a shape": (
        {"x": {"dtype": "U8", "data_offsets": [0, 4]}},
        b"abcd",
        None,
        "shape",
    ),
    "an unknown type": ({"x": row("F7", [4], 0, 4)}, b"abcd", None, "'F7'"),
    "a type that is a list": ({"x": row(["U8"], [4], 0, 4)}, b"abcd", None, "is of type"),
    "a negative shape": ({"x": row("U8", [-2, -2], 0, 4)}, b"abcd", None, "shape [-2, -2]"),
    "a fraction": ({"x": row("U8", [4.0], 0, 4)}, b"abcd", None, "shape [4.0]"),
    "a truth": ({"x": row("U8", [True], 0, 1)}, b"a", None, "shape [True]"),
    "too many axes": ({"x": row("U8", [1] * 65, 0, 1)}, b"a", None, "shape"),
    "one offset": ({"x": {**ONE["x"], "data_offsets": [0]}}, b"abcd", None, "offsets [0]"),
    "beyond the end": ({"x": row("U8", [5], 0, 5)}, b"abcd", None, "outside"),
    "backwards": ({"x": row("U8", [0], 4, 3)}, b"abcd", None, "outside"),
    "too few bytes": ({"x": row("F32", [4], 0, 4)}, b"abcd", None, "4 bytes for [4] of float32"),
    "a product that overflows": ({"x": row("U8", [2**32, 2**32], 0, 0)}, b"", None, "0 bytes for"),
    "overlapping": (
        {"x": row("U8", [3], 0, 3), "y": row("U8", [2], 2, 4)},
        b"abcd",
        None,
        "overlap",
    ),
    "a hole": ({"x": row("U8", [1], 0, 1), "y": row("U8", [2], 2, 4)}, b"abcd", None, "hole"),
    "begun late": ({"x": row("U8", [3], 1, 4)}, b"abcd", None, "hole, at byte 0"),
    "bytes left over": (ONE, b"abcdefgh", None, "hole, at byte 4"),
    "a name twice": (b'{"x":{},"x":{}}', b"", None, "a name occurs twice"),
    "a list": (b"[1, 2]   ", b"", None, "like none of them"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_headers(case, tmp_path):
    header, data, length, word = HOSTILE[case]
    path = file(tmp_path / "x.safetensors", header, data, length)
    with refused(
        "x.safetensors is damaged, or no file of weights", word, "expected safetensors or npz"
    ):
        weights.read(path)


def test_a_long_header_is_not_read(tmp_path):
    """The format's limit, in a file that has the bytes (none of them on the disk)."""
    path = file(tmp_path / "x.safetensors", b"{", length=100_000_001)
    with path.open("r+b") as out:
        out.truncate(200_000_000)
    with refused("a header of 100000001 bytes"):
        weights.read(path)


class Runs:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_nothing_is_executed(tmp_path):
    """An array of objects in an npz file."""
    trap = tmp_path / "executed"
    np.savez(tmp_path / "x.npz", x=np.array([Runs(trap)], object))
    with refused("x.npz is damaged", "expected safetensors or npz without pickled objects"):
        weights.read(tmp_path / "x.npz")
    assert not trap.exists()


def test_npz(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, **{"a.b": np.arange(6).reshape(2, 3)})
    assert weights.read(path)["a.b"].tolist() == [[0, 1, 2], [3, 4, 5]]
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with refused("x.npz is damaged"):
        weights.read(path)
    path.write_bytes(whole.replace(b"'descr'", b"'desc\xff'"))
    with refused("x.npz is damaged"):
        weights.read(path)
    path.write_bytes(whole)
    with zipfile.ZipFile(path) as archive:
        member = archive.read("a.b.npy")
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("a.b.npy", member)
    with refused("x.npz is damaged", "a name occurs twice"):
        weights.read(path)


def test_what_cannot_be_read(tmp_path):
    with refused(f"{tmp_path / 'none.pt'} cannot be read", "No such file"):
        weights.read(tmp_path / "none.pt")
    with refused(f"{tmp_path} cannot be read", "0 files *.index.json, expected one; name the file"):
        weights.read(tmp_path)


ENTRIES = [
    Entry("params/conv/kernel", "c.weight", (2, 3, 1, 0)),
    Entry("params/norm/bias", ("n.one", "n.two"), join=Join(np.add, lambda x: (x, 0 * x))),
    Entry("batch_stats/norm/mean", "n.mean"),
    Entry("", "n.count"),
]


def reference() -> dict[str, np.ndarray]:
    """[out 2, in 3, h 1, w 4] and the rest."""
    return {
        "c.weight": np.arange(24.0).reshape(2, 3, 1, 4),
        "n.one": np.array([1.0, 2.0]),
        "n.two": np.array([10.0, 20.0]),
        "n.mean": np.array([5.0, 6.0]),
    }


def test_entries_by_hand():
    """A kernel's element, the sum of two biases, the collections; and back."""
    state = reference()
    found = weights.to_variables(ENTRIES, {**state, "n.count": np.array(3)})
    assert found.keys() == {"params", "batch_stats"}
    kernel = found["params"]["conv"]["kernel"]
    assert kernel.shape == (1, 4, 3, 2)
    assert kernel[0, 3, 2, 1] == 23 and kernel[0, 1, 2, 0] == 9  # out 0, in 2, w 1: 0 + 2 * 4 + 1
    assert found["params"]["norm"]["bias"].tolist() == [11, 22]
    assert found["batch_stats"]["norm"]["mean"].tolist() == [5, 6]
    back = weights.from_variables(ENTRIES, found)
    assert back.keys() == state.keys()
    np.testing.assert_array_equal(back["c.weight"], state["c.weight"])
    assert back["n.one"].tolist() == [11, 22] and back["n.two"].tolist() == [0, 0]


def test_export(tmp_path):
    """The reference's names and layout in a file."""
    path = tmp_path / "x.safetensors"
    weights.export(weights.to_variables(ENTRIES, reference()), ENTRIES, path)
    found = weights.read(path)
    assert found.keys() == reference().keys()
    np.testing.assert_array_equal(found["c.weight"], reference()["c.weight"])


@pytest.mark.parametrize(
    "change, words",
    [
        ({"n.mean": None}, ("of another architecture: missing 'n.mean'; take the variant",)),
        ({"n.two": None}, ("missing 'n.two'",)),
        ({"more": np.zeros(1)}, ("unknown 'more' (1,)", "weights.renamed")),
        (
            {f"x{i}": np.zeros(i) for i in range(5)},
            (
                "unknown 'x0' (0,); unknown 'x1' (1,); unknown 'x2' (2,); in all 0 missing and 5 unk",
            ),
        ),
        ({"n.mean": None, "mean": np.zeros(2)}, ("found 'mean' (2,), expected 'n.mean'; take",)),
        ({"c.weight": np.zeros((2, 3))}, ("'c.weight' has shape (2, 3)", "expected 4 axes")),
        (
            {"n.two": np.zeros(1)},  # which would broadcast
            ("'n.one', 'n.two' of shape (2,), (1,)", "params/norm/bias", "another variant"),
        ),
        ({"n.two": np.zeros(3)}, ("'n.one', 'n.two' of shape (2,), (3,)",)),
    ],
)
def test_weights_that_do_not_fit(change, words):
    state = {name: x for name, x in {**reference(), **change}.items() if x is not None}
    with refused(*words):
        weights.to_variables(ENTRIES, state)


def test_names_that_do_not_fit_are_paired():
    """By hand: 2 x common letters / all letters is 22/23 for the two kernels, 12/17 for the biases."""
    like = weights.to_variables(
        [Entry("params/a", "head.weight", (1, 0)), Entry("params/b", "head.bias")],
        {"head.weight": np.zeros((1000, 512)), "head.bias": np.zeros(1000)},
    )
    entries = [
        Entry("params/b", "head.bias"),
        Entry("params/a", "head.weight", (1, 0)),
        Entry("params/none", "norm"),
    ]
    state = {"heads.weight": np.zeros((10, 512)), "the_bias": np.zeros(10), "x": np.zeros(2)}
    with refused(
        "another architecture: found 'heads.weight' (10, 512), expected 'head.weight' (1000, 512); "
        "found 'the_bias' (10,), expected 'head.bias' (1000,); missing 'norm'; in all 3 missing and 3"
    ):
        weights.to_variables(entries, state, like)


def test_names_that_do_not_fit_in_a_large_file():
    """A thousand of them: in a second, and in a line that can be read."""
    entries = [Entry(f"params/{i}", f"encoder.layers.{i}.weight") for i in range(1000)]
    state = {f"model.encoder.layers.{i}.weight": np.zeros((3, 4)) for i in range(1000)}
    with refused("found 'model.encoder", "1000 missing and 1000 unknown") as caught:
        weights.to_variables(entries, state)
    assert len(str(caught.value)) < 500


def test_a_reshaped_array_keeps_its_shape_there():
    """Also where another shape has as many elements."""
    entries = [Entry("params/a", "a", join=weights.mapping.reshaped((1, 6), (2, 3)))]
    found = weights.to_variables(entries, {"a": np.arange(6).reshape(1, 6)})
    assert found["params"]["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    for shape in ((6,), (3, 2), (1, 5)):
        with refused("'a' of shape", "params/a"):
            weights.to_variables(entries, {"a": np.zeros(shape)})


def test_variables_that_do_not_fit():
    found = weights.to_variables(ENTRIES, reference())
    with refused("have 'params/more' besides"):
        params = {**found["params"], "more": np.zeros(1)}
        weights.from_variables(ENTRIES, {**found, "params": params})
    with refused("have no 'batch_stats/norm/mean'"):
        weights.from_variables(ENTRIES, {"params": found["params"]})


def test_renamed():
    """The old word is replaced at the beginning of names, and nowhere else."""
    entries = [Entry("params/a", "net.a.net.w"), Entry("params/b", ("net.b", "c"))]
    found = weights.renamed(entries, "net.", "")
    assert [e.name for e in found] == ["a.net.w", ("b", "c")]
    other = weights.renamed(entries, "net.", "m.")
    assert [e.name for e in other] == ["m.a.net.w", ("m.b", "c")]
    assert [e.name for e in weights.renamed(found, "", "m.")] == ["m.a.net.w", ("m.b", "m.c")]


def test_a_map_is_named_after_its_architecture():
    files = {path.stem for path in Path(dljax.weights.__file__).parent.glob("*.py")} - NO_MAPS
    assert files and files <= {a.name for a in catalog.architectures()}
