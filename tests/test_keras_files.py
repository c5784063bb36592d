"""Files of Keras: its two layouts, written here by h5py as Keras lays them out."""

import io
import sys
import zipfile
from pathlib import Path

import h5py
import jax.numpy as jnp
import numpy as np
import pytest
from refusal import refused

from dljax import weights

KERNEL = np.arange(6, dtype=np.float32).reshape(2, 3)
BIAS = np.array([7, 8, 9], np.float32)


def old(root: h5py.Group, layers: dict[str, dict[str, np.ndarray]]) -> None:
    """layers: layer -> weight's name -> array."""
    root.attrs["layer_names"] = [name.encode() for name in layers]
    for layer, arrays in layers.items():
        group = root.create_group(layer)
        group.attrs["weight_names"] = [name.encode() for name in arrays]
        for name, array in arrays.items():
            group.create_dataset(name, data=array)
    root.create_group("top_level_model_weights").attrs["weight_names"] = [b"token"]
    root["top_level_model_weights/token"] = BIAS + 1


OLD = {
    "input_1": {},
    "dense_1": {"dense_1/kernel:0": KERNEL, "dense_1/bias:0": BIAS},
    "inner": {"inner/conv/kernel:0": BIAS},
    "by_index": {"kernel": KERNEL + 1},
}
OLD_NAMES = {
    "dense_1/kernel": KERNEL,
    "dense_1/bias": BIAS,
    "inner/conv/kernel": BIAS,
    "by_index/kernel": KERNEL + 1,
    "top_level_model_weights/token": BIAS + 1,
}


def same(found, expected) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("whole", [False, True])
def test_old_layout(whole, tmp_path):
    """Weights alone, and a model with its optimizer."""
    with h5py.File(tmp_path / "x.h5", "w") as file:
        old(file.create_group("model_weights") if whole else file, OLD)
        if whole:
            file.attrs["model_config"] = "{}"
            file.create_group("optimizer_weights").create_dataset("m", data=BIAS)
    same(weights.read(tmp_path / "x.h5"), OLD_NAMES)


def test_long_lists_of_names_are_cut(tmp_path):
    """In attributes of 64 kB at most: names0, names1, ..."""
    with h5py.File(tmp_path / "x.h5", "w") as file:
        old(file, OLD)
        names = file.attrs["layer_names"].tolist()
        del file.attrs["layer_names"]
        file.attrs["layer_names0"], file.attrs["layer_names1"] = names[:3], names[3:]
        group = file["dense_1"]
        del group.attrs["weight_names"]
        for i, name in enumerate(OLD["dense_1"]):
            group.attrs[f"weight_names{i}"] = [name.encode()]
    same(weights.read(tmp_path / "x.h5"), OLD_NAMES)


def new(file: h5py.File) -> None:
    """The tree of Keras 3."""
    for path, array in NEW_NAMES.items():
        file.create_dataset(path, data=array)
    file.create_group("layers/dropout/vars")
    file.create_dataset("optimizer/vars/0", data=BIAS)


NEW_NAMES = {
    "layers/dense/vars/0": KERNEL,
    "layers/dense/vars/1": BIAS,
    "layers/lstm/cell/vars/0": KERNEL + 1,
    "layers/functional/layers/dense/vars/0": np.array([True, False]),
    "vars/0": np.array(3, np.int64),
}


def keras(path: Path, how: int = zipfile.ZIP_STORED) -> Path:
    """A .keras archive."""
    inner = io.BytesIO()
    with h5py.File(inner, "w") as file:
        new(file)
    with zipfile.ZipFile(path, "w", how) as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", inner.getvalue())
    return path


def test_new_layout(tmp_path):
    with h5py.File(tmp_path / "x.weights.h5", "w") as file:
        new(file)
    same(weights.read(tmp_path / "x.weights.h5"), NEW_NAMES)
    same(weights.read(keras(tmp_path / "x.keras")), NEW_NAMES)


def test_half_precision(tmp_path):
    """1.0 and -2.0 in bfloat16 are 3f80 and c000; Keras stores the bytes of what HDF5 has no type for."""
    with h5py.File(tmp_path / "x.weights.h5", "w") as file:
        file.create_dataset("vars/0", data=np.array([0x3F80, 0xC000], "<u2").view("V2"))
        file.create_dataset("vars/1", data=np.array([1, -2], np.float16))
        file.create_dataset("vars/2", data=np.array([1, -2], ">f4"))
    found = weights.read(tmp_path / "x.weights.h5")
    assert found["vars/0"].dtype == jnp.bfloat16 and found["vars/1"].dtype == np.float16
    for array in found.values():
        assert array.tolist() == [1, -2] and array.dtype.isnative


def test_compressed_arrays(tmp_path):
    with h5py.File(tmp_path / "x.weights.h5", "w") as file:
        file.create_dataset("vars/0", data=np.zeros(10**6), compression="gzip")
    assert weights.read(tmp_path / "x.weights.h5")["vars/0"].shape == (10**6,)
    assert (tmp_path / "x.weights.h5").stat().st_size < 40_000  # of 8,000,000


def beyond(file):
    file.create_dataset("vars/0", (10**12,), "f4", chunks=(10**6,))


def elsewhere(file):
    file["vars/0"] = h5py.ExternalLink("other.h5", "/secret")


def outside(file):
    file.create_dataset("vars/0", (4,), "u1", external=[("/etc/passwd", 0, 4)])


def gathered(file):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "secret", (4,))
    file.create_virtual_dataset("vars/0", layout)


def looped(file):
    group = file.create_group("a")
    group["a"] = group


def twice(file):
    old(file, {"a": {"x/kernel:0": BIAS}, "b": {"x/kernel:0": BIAS}})


def absent(file):
    old(file, {"a": {"a/kernel:0": BIAS}})
    del file["a/a/kernel:0"]


def upwards(file):
    old(file, {"a": {"a/kernel:0": BIAS}})
    file["a"].attrs["weight_names"] = [b"../a/a/kernel:0"]


@pytest.mark.parametrize(
    "make, words",
    [
        (beyond, "'vars/0' claims 4000000000000 bytes and has 0"),
        (elsewhere, "'0' is a link"),
        (outside, "'vars/0' is no array of this file"),
        (gathered, "'vars/0' is no array of this file"),
        (looped, "nested too deeply"),
        (twice, "'x/kernel' occurs twice"),
        (absent, "link"),
        (upwards, "no such array"),
        (lambda file: file.create_dataset("vars/0", data="text"), "is of type object"),
        (lambda file: file.create_dataset("x", data=BIAS), "no weights where Keras keeps them"),
    ],
)
def test_files_of_other_things(make, words, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.create_dataset("secret", data=np.ones(4, np.float32))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        make(file)
    with refused("x.h5 is damaged, or no file of weights", words):
        weights.read(tmp_path / "x.h5")


def test_damaged(tmp_path):
    path = keras(tmp_path / "x.keras")
    with refused("x.keras", "leave out within="):
        weights.read(path, "model")
    with refused("x.keras is damaged", "a compressed part"):
        weights.read(keras(tmp_path / "x.keras", zipfile.ZIP_DEFLATED))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        old(file, OLD)
    whole = (tmp_path / "x.h5").read_bytes()
    for n in range(8, len(whole), len(whole) // 50):
        (tmp_path / "x.h5").write_bytes(whole[:n])
        with refused("x.h5 is damaged"):
            weights.read(tmp_path / "x.h5")


def test_without_h5py(tmp_path, monkeypatch):
    path = keras(tmp_path / "x.keras")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with refused("files of Keras are read by h5py, which is not here: pip install h5py"):
        weights.read(path)
