"""Weights in several files, and names of other libraries. Expected values are written by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from refusal import refused

from dljax import weights

ONE, TWO = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


def sharded(folder: Path, files: dict, name: str = "model.safetensors.index.json") -> Path:
    """Two files and their index."""
    weights.write(folder / ONE, {"a": np.array([1.0]), "b": np.array([2, 3])})
    weights.write(folder / TWO, {"c": np.array(4)})
    (folder / name).write_text(
        json.dumps({"metadata": {"total_size": 32}, "weight_map": files}), encoding="utf-8"
    )
    return folder / name


FILES = {"a": ONE, "c": TWO, "b": ONE}


def test_several_files(tmp_path):
    """By the index, or by its folder, also beside the index of other files."""
    path = sharded(tmp_path, FILES)
    for given in (path, tmp_path, str(tmp_path)):
        found = weights.read(given)
        assert {name: x.tolist() for name, x in found.items()} == {"a": [1], "b": [2, 3], "c": 4}
    sharded(tmp_path, {"a": "none.bin"}, "pytorch_model.bin.index.json")
    assert weights.read(tmp_path).keys() == {"a", "b", "c"}
    path.unlink()
    with refused("none.bin cannot be read"):
        weights.read(tmp_path)
    sharded(tmp_path, FILES, "other.index.json")
    with refused("2 files *.index.json, expected one"):
        weights.read(tmp_path)
    with refused("leave out within='model'"):
        weights.read(tmp_path / "other.index.json", "model")


@pytest.mark.parametrize(
    "files, words",
    [
        ({**FILES, "d": TWO}, (TWO, "has no 'd'")),
        ({**FILES, "a": TWO}, (ONE, "has, without a line in the index, 'a'")),
        ({"a": ONE, "b": ONE, "c": ONE}, (ONE, "has no 'c'")),
        ({"a": ONE}, (ONE, "without a line in the index, 'b'")),
        ({**FILES, "c": "other.safetensors"}, ("other.safetensors cannot be read",)),
        ({**FILES, "c": "../" + TWO}, ("which is no name of a file beside it",)),
        ({**FILES, "c": "..\\" + TWO}, ("which is no name of a file beside it",)),
        ({**FILES, "c": ".."}, ("which is no name of a file beside it",)),
        ({**FILES, "c": "/etc/passwd"}, ("'/etc/passwd', which is no name",)),
        ({**FILES, "c": "model.safetensors.index.json"}, ("which is no name of a file beside it",)),
        ({**FILES, "c": 7}, ("the weight_map has 7",)),
        ({**FILES, "c": "a\0b"}, ("which is no name of a file beside it",)),
        ({}, ("an index without a weight_map",)),
        ([ONE], ("an index without a weight_map",)),
    ],
)
def test_an_index_that_does_not_fit(files, words, tmp_path):
    folder = tmp_path / "inside"
    folder.mkdir()
    weights.write(tmp_path / TWO, {"c": np.array(4)})  # where "../" would find it
    with refused(*words):
        weights.read(sharded(folder, files))


@pytest.mark.parametrize(
    "text, word",
    [
        ("", "Expecting value"),
        ("[1]", "without a weight_map"),
        ('{"weight_map": {"a": "x", "a": "y"}}', "a name occurs twice"),
        ('{"weight_map": ' + "[" * 100_000, "recursion"),
    ],
)
def test_a_damaged_index(text, word, tmp_path):
    (tmp_path / "x.json").write_text(text)
    with refused("x.json is damaged", word):
        weights.read(tmp_path / "x.json")


def test_names_with_slashes(tmp_path):
    """As big_vision's npz files of ViTs have them, with their parameters' tree as one name."""
    names = [
        "params/Transformer/encoderblock_0/MultiHeadDotProductAttention_1/query/kernel",
        "Transformer/posembed_input/pos_embedding",
        "opt/0/mu/cls",
        "head/bias",
    ]
    arrays = {name: np.full((2, i), i) for i, name in enumerate(names)}
    np.savez(tmp_path / "x.npz", **arrays)
    found = weights.read(tmp_path / "x.npz")
    assert list(found) == names
    assert all((found[name] == array).all() for name, array in arrays.items())
    tree = weights.to_variables(
        [
            weights.Entry("params/head/bias", "head/bias"),
            *(weights.Entry("", n) for n in names[:3]),
        ],
        found,
    )
    assert tree["params"]["head"]["bias"].shape == (2, 3)
