"""A fingerprint tells data from other data, in a moment."""

import json
import time

import numpy as np
import pytest

from dljax.data import Arrays, fingerprint
from dljax.data.sources.graph import Graph, Packs, WholeGraph
from dljax.data.sources.text import Windows


def table(n: int = 500, side: int = 4) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {"x": rng.normal(size=(n, side)), "label": rng.integers(0, 3, n).astype(np.int32)}


def negated(arrays):
    x = arrays["x"].copy()
    x[:, 2] *= -1
    return {**arrays, "x": x}


CHANGES = {
    "a column negated": negated,
    "a row more": lambda a: {k: np.concatenate([v, v[:1]]) for k, v in a.items()},
    "a row fewer": lambda a: {k: v[:-1] for k, v in a.items()},
    "another type": lambda a: {**a, "x": a["x"].astype(np.float32)},
    "another name": lambda a: {"y": a["x"], "label": a["label"]},
    "the last label": lambda a: {**a, "label": np.append(a["label"][:-1], 7).astype(np.int32)},
    "the order": lambda a: {k: v[::-1] for k, v in a.items()},
    "another shape": lambda a: {**a, "x": a["x"].reshape(len(a["x"]), 2, -1)},
}
LARGE = 400_000  # rows, of 16 MB: only some are looked at


@pytest.mark.parametrize("n", [500, LARGE])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changed_data_are_noticed(change, n):
    arrays = table(n)
    first = fingerprint(Arrays(arrays))
    assert first == fingerprint(Arrays({k: arrays[k].copy() for k in ("label", "x")}))
    assert first != fingerprint(Arrays(change(arrays)))


def test_a_small_set_is_looked_at_whole():
    arrays = table()
    before = fingerprint(Arrays(arrays))
    for row in range(500):
        x = arrays["x"].copy()
        x[row, 0] += 1e-9
        assert fingerprint(Arrays({**arrays, "x": x})) != before


def test_what_it_says():
    found = fingerprint(Arrays(table()))
    assert found["length"] == 500 and json.loads(json.dumps(found)) == found
    assert found["arrays"] == {
        "label": {"dtype": "int32", "shape": []},
        "x": {"dtype": "float64", "shape": [4]},
    }
    assert len(found["sha256"]) == 64


def test_every_kind_of_source():
    node, none = np.ones((3, 2), np.float32), np.zeros(0, np.int32)
    whole = WholeGraph(node, none, none, np.zeros(3, np.int32), np.ones(3, np.float32))
    assert fingerprint(whole)["arrays"]["node"]["shape"] == [3, 2]
    assert fingerprint(whole) != fingerprint(whole.of(np.array([1])))
    packs = Packs([Graph(node * i, none, none, i) for i in range(1, 8)], per=2)
    assert fingerprint(packs)["length"] == 7
    windows = Windows.apart(np.arange(200, dtype=np.int32), 10)
    assert fingerprint(windows)["arrays"]["tokens"]["shape"] == [10]


def test_files_count_by_their_content_not_by_where_they_lie():
    class Files:
        def __init__(self, folder, last=b"d"):
            self.folder, self.files = folder, [b"a", b"bb", b"ccc", last]

        def __len__(self):
            return 4

        def gather(self, indices):
            encoded = np.empty(len(indices), object)
            encoded[:] = [self.files[i] for i in indices]
            origin = np.array([f"{self.folder}/{i}" for i in indices])
            return {"encoded": encoded, "origin": origin}

    assert fingerprint(Files("here")) == fingerprint(Files("elsewhere"))
    assert fingerprint(Files("here")) != fingerprint(Files("here", b"e"))


def test_it_takes_a_moment():
    mnist = Arrays({"image": np.zeros((60_000, 28, 28, 1), np.uint8), "label": np.zeros(60_000)})
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        fingerprint(mnist)
        seconds.append(time.perf_counter() - begun)
    assert min(seconds) < 0.02  # a fifth of a millisecond on an idle core
