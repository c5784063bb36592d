"""Files of torch.save, and which of a checkpoint's dicts is read. Expected values are written by hand."""

import pickle
import struct

import jax.numpy as jnp
import numpy as np
import pytest
from refusal import refused
from torch_bytes import (
    HOOKS,
    Call,
    Kept,
    Name,
    State,
    pickled,
    storage,
    tensor,
    write_legacy,
    write_tar,
    write_zip,
)

from dljax import learner, weights

SIX = struct.pack("<6f", 0, 1, 2, 3, 4, 5)
# 1.0 is 3f80 0000 in float32, its upper half in bfloat16, and 3c00 in float16; the least byte is first.
TYPES = {
    "DoubleStorage": (bytes(6) + b"\xf0\x3f" + bytes(6) + b"\x00\xc0", np.float64, [1.0, -2.0]),
    "FloatStorage": (b"\x00\x00\x80\x3f\x00\x00\x00\xc0", np.float32, [1.0, -2.0]),
    "BFloat16Storage": (b"\x80\x3f\x00\xc0", jnp.bfloat16, [1.0, -2.0]),
    "HalfStorage": (b"\x00\x3c\x00\xc0", np.float16, [1.0, -2.0]),
    "LongStorage": (b"\x02\x01" + bytes(6) + b"\xff" * 8, np.int64, [258, -1]),
    "IntStorage": (b"\x02\x01\x00\x00\xff\xff\xff\xff", np.int32, [258, -1]),
    "ShortStorage": (b"\x02\x01\xff\xff", np.int16, [258, -1]),
    "CharStorage": (b"\x02\xff", np.int8, [2, -1]),
    "ByteStorage": (b"\x02\xff", np.uint8, [2, 255]),
    "BoolStorage": (b"\x01\x00", np.bool_, [True, False]),
}


def write(form: str, path, x, data: bytes = SIX, numel: int = 6):
    """A file with one storage, "0", in either of the two formats that share their pickles."""
    if form == "zip":
        return write_zip(path, x, {"0": data})
    return write_legacy(path, x, {"0": (numel, data)})


both = pytest.mark.parametrize("form", ["zip", "legacy"])


@both
@pytest.mark.parametrize("kind", TYPES)
def test_types(form, kind, tmp_path):
    data, dtype, values = TYPES[kind]
    state = {"x": tensor((2,), (1,), kind=f"torch {kind}", numel=2)}
    found = weights.read(write(form, tmp_path / "x.pth", state, data, 2))["x"]
    assert found.dtype == dtype and found.tolist() == values


@pytest.mark.parametrize("kind", TYPES)
def test_the_other_order_of_bytes(kind, tmp_path):
    data, dtype, values = TYPES[kind]
    wide = len(data) // 2
    state = {"x": tensor((2,), (1,), kind=f"torch {kind}", numel=2)}
    turned = data[:wide][::-1] + data[wide:][::-1]
    found = weights.read(write_zip(tmp_path / "x.pt", state, {"0": turned}, "big"))["x"]
    assert found.dtype == dtype and found.tolist() == values


@pytest.mark.parametrize(
    "name, data, values",
    [
        ("uint16", b"\x02\x01\xff\xff", [258, 65535]),
        ("float8_e4m3fn", b"\x38\xc0", [1.0, -2.0]),  # sign, 4 bits of exponent, its bias 7
        ("float32", b"\x00\x00\x80\x3f\x00\x00\x00\xc0", [1.0, -2.0]),
    ],
)
def test_types_upon_untyped_storages(name, data, values, tmp_path):
    kept = storage("torch.storage UntypedStorage", "0", len(data))
    args = (kept, 1, (1,), (1,), False, HOOKS, Name(f"torch {name}"))
    state = {"x": Call(Name("torch._utils _rebuild_tensor_v3"), args)}
    found = weights.read(write_zip(tmp_path / "x.pt", state, {"0": data}))["x"]
    assert found.dtype.name == name and found.tolist() == values[1:]


@both
def test_strides(form, tmp_path):
    """Rows and columns exchanged, every second one, a scalar, none; all in one storage of 0 to 5."""
    state = {
        "all": tensor((2, 3), (3, 1)),
        "turned": tensor((3, 2), (1, 3)),
        "second": tensor((2,), (2,), 1),
        "one": tensor((), (), 4),
        "none": tensor((0, 3), (3, 1)),
        "of length one": tensor((1, 2), (77, 1)),
    }
    found = weights.read(write(form, tmp_path / "x.pth", state))
    assert {name: x.tolist() for name, x in found.items()} == {
        "all": [[0, 1, 2], [3, 4, 5]],
        "turned": [[0, 3], [1, 4], [2, 5]],
        "second": [1, 3],
        "one": 4,
        "none": [],
        "of length one": [[0, 1]],
    }
    assert found["none"].shape == (0, 3)
    assert np.shares_memory(found["all"], found["turned"])
    with pytest.raises(ValueError, match="read-only"):
        found["all"][0] = 0


def test_two_storages_and_a_part_of_one(tmp_path):
    """The older format may name a part of a storage: elements 2 to 4 of six."""
    state = {
        "part": tensor((2,), (1,), 1, part=(("view", 2, 3),)),
        "other": tensor((1,), (1,), kind="torch.cuda LongStorage", key="b", numel=1),
        "old": Call(
            Name("torch._utils _rebuild_tensor"),
            (storage("torch FloatStorage", "0", 6, None), 5, (1,), (1,)),
        ),
    }
    stored = {"0": (6, SIX), "b": (1, struct.pack("<q", 2**40))}
    found = weights.read(write_legacy(tmp_path / "x.pth", state, stored))
    assert {name: x.tolist() for name, x in found.items()} == {
        "part": [3, 4],
        "other": [2**40],
        "old": [5],
    }


def test_oldest(tmp_path):
    """A storage, a part of it, tensors in a file of their own; the pickle has their keys alone."""
    path = write_tar(
        tmp_path / "x.pth",
        Call(
            Name("collections OrderedDict"), ([["module.a", Kept("11")], ["module.b", Kept("12")]],)
        ),
        {1: ("torch FloatStorage", 6, SIX), 2: ("torch ShortStorage", 1, b"\x02\x01")},
        [(3, 1, 2, 3)],
        {11: (3, (3,), (1,), 0), 12: (2, (1, 1), (1, 1), 0)},
    )
    found = weights.read(path)
    assert {name: x.tolist() for name, x in found.items()} == {"a": [2, 3, 4], "b": [[258]]}


X = tensor((6,), (1,))
PARAMETER = Call(Name("torch._utils _rebuild_parameter"), (X, True, HOOKS))
TEN = {"y": tensor((1,), (1,), 1)}
NUMPY = State(
    Call(Name("numpy.core.multiarray _reconstruct"), (Name("numpy ndarray"), (0,), b"b")),
    (
        1,
        (2,),
        State(
            Call(Name("numpy dtype"), ("f4", False, True)),
            (3, ">", None, None, None, -1, -1, 0),
        ),
        False,
        b"\x3f\x80\x00\x00\xc0\x00\x00\x00",
    ),
)
SCALAR = Call(
    Name("numpy.core.multiarray scalar"),
    (Call(Name("numpy dtype"), ("f8", False, True)), bytes(6) + b"\xf0\x3f"),
)
BESIDES = {
    "epoch": 3,
    "best_prec1": 91.5,
    "arch": "resnet20",
    "best": SCALAR,
    "args": State(Call(Name("argparse Namespace"), ()), {"lr": 0.1, "milestones": [1, (2, None)]}),
    "device": Call(Name("torch device"), ("cuda", 0)),
    "size": Call(Name("torch Size"), ((1, 2),)),
    "optimizer": {"state": {0: {"momentum_buffer": X}}, "param_groups": [{"params": [0]}]},
    3: None,
}
CHECKPOINTS = {
    "plain": ({"x": X}, "", "x"),
    "ordered, with the versions that torch notes": (
        State(
            Call(Name("collections OrderedDict"), ([["x", X]],)),
            {"_metadata": {"": {"version": 1}}},
        ),
        "",
        "x",
    ),
    "a parameter": ({"x": PARAMETER}, "", "x"),
    **{
        key: ({**BESIDES, key: {"x": X}}, "", "x")
        for key in ("state_dict", "model", "model_state_dict", "net", "params")
    },
    "a tensor beside the dict": ({"state_dict": {"x": X}, "best_acc1": X}, "", "x"),
    "another dict beside the usual": ({"model": {"x": X}, "model_ema": TEN}, "", "x"),
    "the one that is asked for": ({"model_ema": {"x": X}, "model": TEN}, "model_ema", "x"),
    "things beside tensors": ({**BESIDES, "x": X}, "", "x"),
    "a number called as the dict": ({"net": 3, "model": None, "x": X}, "", "x"),
    "a wrapper": ({"module.x": X}, "", "x"),
    "two wrappers": ({"net": {"_orig_mod.module.x": X}}, "", "x"),
    "a prefix of its own": ({"model.x": X}, "", "model.x"),
}


@pytest.mark.parametrize("case", CHECKPOINTS)
def test_checkpoints(case, tmp_path):
    saved, within, name = CHECKPOINTS[case]
    for form in ("zip", "legacy"):
        found = weights.read(write(form, tmp_path / form, saved), within)
        assert {name: x.tolist() for name, x in found.items()} == {name: [0, 1, 2, 3, 4, 5]}


def test_a_prefix_that_not_all_have_stays(tmp_path):
    found = weights.read(write_zip(tmp_path / "x", {"module.a": X, "b": X}, {"0": SIX}))
    assert found.keys() == {"module.a", "b"}


@pytest.mark.parametrize(
    "saved, within, words",
    [
        (
            {"model": TEN, "net": TEN},
            "",
            ("dicts of tensors, 'model', 'net', say one: within='model'",),
        ),
        (
            {"generator": TEN, "discriminator": TEN, "epoch": 3},
            "",
            ("'generator', 'discriminator', say one: within='generator'",),
        ),
        ({"model": TEN}, "ema", ("no dict of tensors 'ema'; there are: 'model'",)),
        ({"epoch": 3}, "ema", ("no dict of tensors 'ema'; there are: none",)),
        ({"epoch": 3}, "", ("not of tensors alone: it has no dict of tensors", "torch.save(")),
        ([X], "", ("it has a list in place of a dict",)),
        (X, "", ("in place of a dict",)),
        (
            Call(Name("__main__ Net"), ()),
            "",
            ("it names '__main__.Net'", "torch.save(model.state_dict(), FILE)"),
        ),
    ],
)
def test_no_choice_is_made(saved, within, words, tmp_path):
    with refused("x.pth", *words):
        weights.read(write_zip(tmp_path / "x.pth", saved, {"0": SIX}), within)


def test_files_without_dicts_in_them(tmp_path):
    np.savez(tmp_path / "x.npz", x=np.zeros(1))
    weights.write(tmp_path / "x.safetensors", {"x": np.zeros(1)})
    for name in ("x.npz", "x.safetensors"):
        with refused(name, "leave out within='model'"):
            weights.read(tmp_path / name, "model")


@both
def test_arrays_of_numpy(form, tmp_path):
    """Beside tensors, from any byte order; and in a pickle of Python's own, of which torch knows nothing."""
    found = weights.read(write(form, tmp_path / "x", {"x": X, "n": NUMPY}))
    assert found["n"].tolist() == [1.0, -2.0] and found["n"].dtype == np.float32
    arrays = {"a": np.arange(6.0).reshape(2, 3).T, "b": np.array([True]), "epoch": 3}
    for protocol in (2, 3, 4, 5):
        (tmp_path / "x.pkl").write_bytes(pickle.dumps(arrays, protocol))
        found = weights.read(tmp_path / "x.pkl")
        assert found.keys() == {"a", "b"} and found["b"].tolist() == [True]
        assert found["a"].tolist() == [[0, 3], [1, 4], [2, 5]]


def test_only_what_is_chosen_is_read(tmp_path):
    """The optimizer's storage is not even there."""
    other = tensor((1,), (1,), key="1", numel=1)
    saved = {"state_dict": {"x": X}, "optimizer": {"state": {0: other}}}
    assert weights.read(write_zip(tmp_path / "x.pt", saved, {"0": SIX}))["x"][5] == 5


def test_load_from_a_checkpoint(tmp_path):
    """The entry's name reaches the reader; a misfit names the file."""
    path = write_zip(tmp_path / "x.pt", {"ema": {"x": X}, "raw": TEN}, {"0": SIX})
    entries = [weights.Entry("params/x", "x")]
    start = weights.load(path, entries, within="raw")
    fresh = learner.State(0, None, {"model": {"x": jnp.zeros(6)}}, {}, {}, None)
    with refused("x.pt: the weights are of", "missing 'x' (6,); unknown 'y' (1,)"):
        start(None, fresh)
    begun = weights.load(path, entries, within="ema")(None, fresh)
    assert begun.params["model"]["x"].tolist() == [0, 1, 2, 3, 4, 5]


def test_a_pickle_alone_has_no_storages(tmp_path):
    (tmp_path / "x.pt").write_bytes(pickled({"x": X}))
    with refused("x.pt is not of tensors alone: it has parts outside of itself"):
        weights.read(tmp_path / "x.pt")
