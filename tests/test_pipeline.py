"""Pipelines are functions of (seed, step); evaluation sees every example once; changed data are told."""

import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest

from dljax.data import Arrays, EvalSet, Pipeline, images, pipeline, transforms, uniform
from dljax.data.sources.text import Windows
from dljax.errors import UserError
from dljax.knobs import read_knobs

N = 10


def numbered(n: int = N) -> Arrays:
    image = np.arange(n, dtype=np.uint8)[:, None, None, None] * np.ones((1, 6, 6, 1), np.uint8)
    return Arrays({"image": image, "label": np.arange(n, dtype=np.int32)})


class Indices:
    """A source of any length, whose examples are their own indices; ``per`` of them to a row."""

    def __init__(self, n, per=1):
        self.n, self.per = n, per

    def __len__(self):
        return self.n

    def gather(self, indices):
        rows = indices if self.per == 1 else indices.reshape(-1, self.per)
        return {"index": rows}


class Whole:
    """One example without an axis of rows."""

    whole = True

    def __len__(self):
        return 1

    def gather(self, indices):
        return {"node": np.arange(6.0).reshape(3, 2), "mask": np.float32([1, 0, 1])}


def augmented(size: int = 4, seed: int = 3) -> Pipeline:
    return Pipeline(numbered(), size, seed, transform=images.pad_crop_flip(2))


def test_a_batch_is_a_function_of_the_step():
    one, two = augmented(), augmented()
    two.batch(7), two.batch(2)
    for step in (5, 0, 5):
        for name, value in one.batch(step).items():
            np.testing.assert_array_equal(value, two.batch(step)[name])
    other = [augmented(seed=4).batch(s)["label"] for s in range(3)]
    assert not np.array_equal(other, [one.batch(s)["label"] for s in range(3)])


def test_rows_are_slices_of_the_whole():
    whole = augmented().batch(2)
    parts = [augmented().batch(2, slice(i, i + 2)) for i in (0, 2)]
    for name, value in whole.items():
        np.testing.assert_array_equal(value, np.concatenate([part[name] for part in parts]))


@pytest.mark.parametrize("table", [2**20, 1], ids=["table", "bijection"])
def test_every_example_once_per_epoch(table, monkeypatch):
    """Also where a batch spans two epochs: 10 does not divide by 4."""
    monkeypatch.setattr(pipeline, "_TABLE", table)
    labels = np.concatenate([augmented().batch(step)["label"] for step in range(5)])
    first, second = labels[:N], labels[N:]
    assert sorted(first) == sorted(second) == list(range(N))
    assert list(first) != list(second)


def test_without_shuffling_the_order_is_the_sources():
    data = Pipeline(numbered(), 4, shuffle=False)
    assert [data.batch(s)["label"].tolist() for s in (0, 2)] == [[0, 1, 2, 3], [8, 9, 0, 1]]


def test_augmentation_differs_between_epochs():
    data = Pipeline(numbered(), N, 0, transform=images.pad_crop_flip(2), shuffle=False)
    assert not np.array_equal(data.batch(0)["image"], data.batch(1)["image"])


@pytest.mark.parametrize("size", [0, -1, 2.5])
def test_batches_are_whole_numbers(size):
    with pytest.raises(UserError, match="expected a whole number above 0"):
        Pipeline(numbered(), size)


# The order


def mix(x: int) -> int:
    """SplitMix64's finalizer, one number at a time."""
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
    return x ^ (x >> 31)


def slowly(seed: int, epoch: int, n: int, position: int) -> int:
    a = next(a for a in range(1, n + 1) if a * a >= n)
    b = (n + a - 1) // a
    key = mix((mix(seed) + epoch) % 2**64)
    x = position
    while True:
        left, right = x // b, x % b
        for i in range(0, 8, 2):
            left = (left + mix(right ^ mix((key + i) % 2**64)) % a) % a
            right = (right + mix(left ^ mix((key + i + 1) % 2**64)) % b) % b
        x = left * b + right
        if x < n:
            return x


def permuted(seed: int, epoch: int, n: int) -> np.ndarray:
    return pipeline._bijection(seed, epoch, n, np.arange(n))


@pytest.mark.parametrize("n", [1, 2, 3, 7, 10, 97, 1000, 4096, 71 * 71, 71 * 71 + 1, 99_991])
def test_the_order_without_a_table_is_a_permutation(n):
    for seed, epoch in ((0, 0), (0, 1), (2**32 - 1, 5)):
        np.testing.assert_array_equal(np.sort(permuted(seed, epoch, n)), np.arange(n))


@pytest.mark.parametrize("n", [97, 2**20 + 7])
def test_the_order_without_a_table_is_another_implementations(n):
    """Plain integers, one position at a time."""
    positions = [0, 1, 2, 50, n - 2, n - 1]
    got = pipeline._bijection(12, 3, n, np.array(positions)).tolist()
    assert got == [slowly(12, 3, n, i) for i in positions]


def test_the_order_without_a_table_stays():
    """Runs are resumed by later versions."""
    got = pipeline._bijection(7, 2, 3_000_000, np.arange(5))
    assert got.tolist() == [1234681, 152510, 805828, 851926, 2877468]
    assert slowly(7, 2, 3_000_000, 0) == 1234681


def test_the_order_without_a_table_looks_random():
    n, side = 2**20 + 7, 32
    order = permuted(1, 0, n)
    cells = np.arange(n) * side // n * side + order * side // n
    counts = np.bincount(cells, minlength=side * side)
    # Where an example comes from and goes to, as a table of 32 x 32: chi-square with 31 * 31 = 961
    # degrees of freedom, whose deviation is sqrt(2 * 961) = 44. Five of them to either side.
    chi = np.sum((counts - n / side**2) ** 2) / (n / side**2)
    assert abs(chi - 961) < 5 * 44
    # Correlations of n random pairs have a deviation of 1 / sqrt(n) = 0.001. Five of them.
    for lag in (1, 2, 1024):
        assert abs(np.corrcoef(order[:-lag], order[lag:])[0, 1]) < 5 / np.sqrt(n)


@pytest.mark.parametrize("other", [(1, 1), (2, 0), (2**31, 0)], ids=str)
def test_the_order_without_a_table_differs_between_epochs_and_seeds(other):
    n = 100_000
    one, two = permuted(1, 0, n), permuted(*other, n)
    # Two random permutations agree at a Poisson(1) number of places: above 12 with p < 1e-10.
    assert (one == two).sum() <= 12
    assert abs(np.corrcoef(one, two)[0, 1]) < 5 / np.sqrt(n)  # five deviations


def test_small_sets_keep_the_order_of_their_table():
    data = Pipeline(Indices(1000), 300, seed=5)
    got = np.concatenate([data.batch(step)["index"] for step in range(7)])[:2000]
    table = [np.random.default_rng([5, epoch]).permutation(1000) for epoch in (0, 1)]
    np.testing.assert_array_equal(got, np.concatenate(table))


@pytest.mark.parametrize("n", [2**20 + 64, 300_000_000])
def test_a_long_text_needs_no_table(n):
    text = np.broadcast_to(np.int32(0), n)  # takes 4 bytes
    data = Pipeline(Windows(text, 64), 15, seed=1)
    last = (n - 64) // 15  # spans two epochs
    tracemalloc.start()
    for step in (0, last, 5):
        assert data.batch(step)["tokens"].shape == (15, 64)
    assert tracemalloc.get_traced_memory()[1] < 1e6  # bytes, for all that Python and numpy hold
    tracemalloc.stop()
    indices = data.indices(last)
    assert len(set(indices.tolist())) == 15 and indices.max() < len(data.source)


# Seeds


def note(seen: list):
    """A transform that changes nothing and notes its seeds."""

    def transform(examples, seeds):
        seen.extend(seeds.tolist())
        return examples

    return transform


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_transforms_are_given_the_pipelines_seed(seed):
    expected = [mix((8 + i + mix(seed)) % 2**64) for i in range(4)]
    for rows in (slice(None), slice(1, 3)):
        seen = []
        Pipeline(numbered(), 4, seed, note(seen), shuffle=False).batch(2, rows)
        assert seen == expected[rows]


def test_another_seed_is_another_augmentation():
    def images_of(seed):
        data = Pipeline(numbered(), N, seed, images.pad_crop_flip(2), shuffle=False)
        return data.batch(0)["image"]

    assert not np.array_equal(images_of(0), images_of(1))


@pytest.mark.parametrize("seed", [2**32, -1])
def test_seeds_that_jax_would_fold_are_refused(seed):
    with pytest.raises(UserError, match=f"seed {seed} .* expected 0 to 4294967295"):
        Pipeline(numbered(), 4, seed)


def test_a_knob_is_no_seed_that_jax_would_fold():
    knob = read_knobs(Path(__file__).parent / "smooth_digits.py").find("seed")
    assert knob.parse("4294967295") == 2**32 - 1
    with pytest.raises(UserError, match="--seed 4294967296: expected int .*below 4294967296"):
        knob.parse("4294967296")


def test_draws_are_uniform_and_their_names_independent():
    seeds = np.arange(100_000, dtype=np.uint64)
    a, b = uniform(seeds, "a"), uniform(seeds, "b")
    # 100 000 draws: the mean's standard error is 0.0009, the correlation's 0.003; five of each.
    assert abs(a.mean() - 0.5) < 0.005
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.016
    assert 0 <= a.min() and a.max() < 1
    salt = zlib.crc32(b"a") * 0x9E3779B97F4A7C15 % 2**64
    assert a[:3].tolist() == [(mix(i ^ salt) >> 11) / 2**53 for i in range(3)]


# Sources


@pytest.mark.parametrize(
    "arrays, words",
    [
        ({"image": np.zeros((5, 2)), "label": np.zeros(4)}, r"\(image 5, label 4\)"),
        ({"image": np.zeros((5, 2)), "n": np.float32(3)}, "'n' is no array of examples"),
        ({"image": [1, 2]}, "'image' is no array of examples"),
        ({}, "no arrays"),
    ],
)
def test_arrays_of_one_length_alone(arrays, words):
    with pytest.raises(UserError, match=words) as error:
        Arrays(arrays)
    assert "\n" not in str(error.value)


def test_an_empty_set_is_refused():
    for make in (lambda s: Pipeline(s, 1), EvalSet):
        with pytest.raises(UserError, match="the dataset is empty"):
            make(numbered(0))


def test_packs_hold_every_example_once_per_epoch():
    seeds = []
    data = Pipeline(Indices(12, per=3), 2, 1, note(seeds))
    assert data.steps(2) == 4
    batches = [data.batch(step)["index"] for step in range(4)]
    assert len(seeds) == 4 * 2  # one to a pack
    assert all(batch.shape == (2, 3) for batch in batches)
    first, second = np.split(np.concatenate(batches).ravel(), 2)
    assert sorted(first) == sorted(second) == list(range(12)) and list(first) != list(second)
    np.testing.assert_array_equal(data.batch(3, slice(1, 2))["index"], batches[3][1:])


@pytest.mark.parametrize(
    "epochs, per, steps", [(1, 1, 2), (1.1, 1, 3), (2, 1, 5), (0.01, 1, 1), (1, 3, 1), (5, 3, 4)]
)
def test_epochs_are_rounded_to_batches(epochs, per, steps):
    """10 examples in batches of 4, and of 4 packs of 3."""
    assert Pipeline(Indices(10, per), 4).steps(epochs) == steps


@pytest.mark.parametrize(
    "data, constant",
    [
        (Pipeline(Indices(4), 4, shuffle=False), True),
        (Pipeline(Indices(4), 4), False),
        (Pipeline(Indices(4), 2, shuffle=False), False),
        (Pipeline(Indices(4, per=2), 2, shuffle=False), True),
        (Pipeline(Indices(4, per=2), 4, shuffle=False), False),
        (Pipeline(numbered(), N, transform=transforms.unit, shuffle=False), False),
        (Pipeline(Whole(), 1), True),
    ],
)
def test_a_batch_that_is_always_the_same(data, constant):
    assert data.constant == constant
    assert not constant or all(
        np.array_equal(data.batch(0)[name], data.batch(1)[name]) for name in data.batch(0)
    )


def test_a_whole_example_is_one_batch_as_it_is():
    data = Pipeline(Whole(), 1)
    assert data.whole and not Pipeline(numbered(), 1).whole
    for batch in (data.batch(7), *EvalSet(Whole()).batches(64)):
        np.testing.assert_array_equal(batch["node"], [[0, 1], [2, 3], [4, 5]])
        np.testing.assert_array_equal(batch["mask"], [1, 0, 1])
    with pytest.raises(UserError, match="whole graph"):
        Pipeline(Whole(), 2)


# Two sources


def paired(seed: int = 0, transform=pipeline.unchanged) -> Pipeline:
    other = Arrays({"image": np.arange(7, dtype=np.int32), "label": np.zeros(7)})
    return Pipeline(
        numbered(), 4, seed, transforms.unpaired(other, {"image": "zebra"}, transform=transform)
    )


def test_unpaired_examples_are_a_function_of_seed_and_step():
    batch = paired().batch(3)
    assert set(batch) == {"image", "label", "zebra"}
    np.testing.assert_array_equal(batch["zebra"][1:3], paired().batch(3, slice(1, 3))["zebra"])
    drawn = {seed: [paired(seed).batch(s)["zebra"].tolist() for s in range(9)] for seed in (0, 1)}
    assert drawn[0] != drawn[1] and drawn[0][0] != drawn[0][1]


def test_unpaired_examples_are_drawn_evenly():
    counts = np.bincount(
        np.concatenate([paired().batch(step)["zebra"] for step in range(1750)]), minlength=7
    )
    # 7000 draws of 7: 1000 of each, with a deviation of sqrt(7000 * 1/7 * 6/7) = 29. Five of them.
    assert np.abs(counts - 1000).max() < 5 * 29


def test_the_second_example_has_draws_of_its_own():
    """Else a crop of both would be the same crop."""
    first, second = [], []
    other = Arrays({"image": np.zeros(7)})
    both = transforms.chain(note(first), transforms.unpaired(other, {"image": "z"}, note(second)))
    Pipeline(numbered(), 4, transform=both).batch(0)
    assert len(set(first + second)) == 8


@pytest.mark.parametrize(
    "names, words", [({"picture": "b"}, "no 'picture'"), ({"image": "label"}, "both .* 'label'")]
)
def test_unpaired_names_are_checked(names, words):
    with pytest.raises(UserError, match=words):
        Pipeline(numbered(), 4, transform=transforms.unpaired(numbered(), names)).batch(0)


def test_a_chain_is_in_order():
    def add(examples, seeds):
        return {"x": examples["x"] + 1}

    def double(examples, seeds):
        return {"x": examples["x"] * 2}

    assert transforms.chain(add, double)({"x": np.array([3])}, None)["x"] == [8]
