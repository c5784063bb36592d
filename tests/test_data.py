"""Datasets: readers that check their files, absent ones told at once, images as nets are fed them."""

import gzip
import io
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image

from dljax.data import EvalSet, Pipeline, images, transforms
from dljax.data.datasets import cifar10, fashion_mnist, imagenet, mnist
from dljax.data.sources import formats, images_in_memory, images_on_disk, tfds
from dljax.errors import UserError


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    """No cache and no TFDS folder but the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    images_in_memory._load.cache_clear()


def test_pad_crop_flip_moves_pixels_alone():
    image = np.arange(1, 37, dtype=np.uint8).reshape(1, 6, 6, 1).repeat(200, 0)
    out = images.pad_crop_flip(1)({"image": image}, np.arange(200, dtype=np.uint64))["image"]
    windows = np.pad(image[0, :, :, 0], 1)
    possible = [windows[i : i + 6, j : j + 6] for i in range(3) for j in range(3)]
    possible = {w.tobytes() for p in possible for w in (p, p[:, ::-1])}
    assert {x.tobytes() for x in out[..., 0]} == possible  # all 18 occur, and nothing else


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float64])
@pytest.mark.parametrize("transform", [transforms.unit, transforms.signed, images.standardize()])
def test_images_of_any_kind_of_number_become_the_same_float32(transform, dtype):
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, -1)
    out = transform({"image": pixels.astype(dtype)}, np.uint64([0]))["image"]
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, transform({"image": pixels}, np.uint64([0]))["image"])


def test_standardize_is_the_papers_formula():
    image = np.full((1, 1, 1, 3), 255, np.uint8)
    out = images.standardize()({"image": image}, np.uint64([0]))["image"]
    np.testing.assert_allclose(out[0, 0, 0], (1 - images.IMAGENET_MEAN) / images.IMAGENET_STD, 1e-6)
    assert out.dtype == np.float32
    assert transforms.unit({"image": image}, None)["image"].max() == 1


def test_levels_by_hand():
    """17 levels stored as round(k 255 / 16) come back as k / 8 - 1; of 256 none is moved."""
    stored = np.round(np.arange(17) * 255 / 16).astype(np.uint8)
    out = transforms.levels(17)({"image": stored}, None)["image"]
    np.testing.assert_array_equal(out, np.arange(17, dtype=np.float32) / 8 - 1)
    every = np.arange(256, dtype=np.uint8)
    out = transforms.levels(256)({"image": every}, None)["image"]
    np.testing.assert_allclose(out, np.arange(256) / 127.5 - 1, atol=1e-7)
    assert out.dtype == np.float32


# Readers


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}i", 0, 8, array.ndim, *array.shape) + array.tobytes()


def splits():
    rng = np.random.default_rng(0)
    return {
        split: (rng.integers(0, 256, (n, 28, 28), np.uint8), np.arange(n, dtype=np.uint8) % 10)
        for split, n in (("train", 12), ("test", 7))
    }


def write_idx(folder, zipped):
    for split, pair in splits().items():
        for kind, array in zip(("images-idx3", "labels-idx1"), pair, strict=True):
            name = f"{'t10k' if split == 'test' else split}-{kind}-ubyte"
            raw = idx(array)
            (folder / (name + zipped)).write_bytes(gzip.compress(raw) if zipped else raw)


def write_npz(folder, keras):
    both = splits()
    if keras:
        (x, y), (u, v) = both["train"], both["test"]
        np.savez(folder / "mnist.npz", x_train=x, y_train=y, x_test=u, y_test=v)
    else:
        for split, (x, y) in both.items():
            np.savez(folder / f"{split}.npz", image=x, label=y)


def write_png(folder, _):
    for split, (x, y) in splits().items():
        for i, (image, label) in enumerate(zip(x, y, strict=True)):
            home = folder / split / str(label)
            home.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(home / f"{i:03d}.png")


LAYOUTS = {
    "idx": (write_idx, ""),
    "idx.gz": (write_idx, ".gz"),
    "npz": (write_npz, False),
    "Keras npz": (write_npz, True),
    "png": (write_png, None),
}


@pytest.mark.parametrize("write, option", LAYOUTS.values(), ids=LAYOUTS)
def test_local_files(write, option, tmp_path):
    (tmp_path / "files").mkdir()
    write(tmp_path / "files", option)
    for split, (x, y) in zip(
        mnist.load(data=str(tmp_path / "files")), splits().values(), strict=True
    ):
        assert split.arrays["image"].dtype == np.uint8 and split.arrays["label"].dtype == np.int32
        order = np.argsort(y, kind="stable") if write is write_png else np.arange(len(y))
        if write is write_png and len(y) < 10:
            order = np.arange(len(y))
        np.testing.assert_array_equal(split.arrays["image"][..., 0], x[order])
        np.testing.assert_array_equal(split.arrays["label"], y[order])


def spoil_short(folder):
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-5])


def spoil_foreign(folder):
    (folder / "train-labels-idx1-ubyte").write_bytes(b"<html>not here</html>")


def spoil_label(folder):
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(np.full(12, 10, np.uint8)))


def spoil_missing(folder):
    (folder / "t10k-labels-idx1-ubyte").unlink()


def spoil_zip(folder):
    path = folder / "train-images-idx3-ubyte"
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(path.read_bytes())[:-9])
    path.unlink()


@pytest.mark.parametrize(
    "spoil, words",
    [
        (spoil_short, "truncated"),
        (spoil_foreign, "no idx file"),
        (spoil_label, "labels must be 0 to 9"),
        (spoil_missing, "no idx file of test labels"),
        (spoil_zip, "truncated"),
    ],
)
def test_damaged_idx(spoil, words, tmp_path):
    write_idx(tmp_path, "")
    spoil(tmp_path)
    with pytest.raises(UserError, match=words):
        mnist.load(data=str(tmp_path))


def test_pickles_are_refused(tmp_path):
    np.savez(tmp_path / "train.npz", image=np.array([{"a": 1}], object), label=np.zeros(1, int))
    np.savez(tmp_path / "test.npz", image=np.zeros((1, 28, 28), np.uint8), label=np.zeros(1, int))
    with pytest.raises(UserError, match="no npz file of plain arrays"):
        mnist.load(data=str(tmp_path))


def npz_with(folder, **changes):
    """The folder of train.npz and test.npz, of two classes, with other arrays in train.npz."""
    plain = {"image": np.zeros((4, 28, 28), np.uint8), "label": np.array([0, 1, 0, 1])}
    np.savez(folder / "train.npz", **{**plain, **changes})
    np.savez(folder / "test.npz", **plain)
    return formats.labelled_images(folder, (28, 28, 1), 2)


ODD_LABELS = {
    "floats": (np.array([0.0, 1.0, 0.0, 1.0]), "float64: 0.0, 1.0"),
    "bool": (np.array([False, True, False, True]), "bool: False, True"),
    "strings": (np.array(["cat", "dog", "cat", "dog"]), "str.*: 'cat', 'dog'"),
    "one-hot": (np.eye(2, dtype=int)[[0, 1, 0, 1]], r"one-hot \(4, 2\): save their argmax\(1\)"),
    "too many": (np.array([0, 1, 0]), r"found \(3,\) for images \(4, 28, 28, 1\)"),
    "pixels": (np.zeros((4, 28, 28), int), r"found \(4, 28, 28\)"),
    "negative": (np.array([-1, 1, -1, 1]), "found -1$"),
    "beyond": (np.array([0, 1, 2, 7]), "found 2, 7$"),
}


@pytest.mark.parametrize("label, words", ODD_LABELS.values(), ids=ODD_LABELS)
def test_labels_of_another_kind_are_named(label, words, tmp_path):
    with pytest.raises(UserError, match=rf"\(train\): labels must be 0 to 1, .*{words}") as error:
        npz_with(tmp_path, label=label)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.int16])
@pytest.mark.parametrize("shape", [(4,), (4, 1)], ids=str)
def test_labels_are_int32_whatever_they_were(dtype, shape, tmp_path):
    train = npz_with(tmp_path, label=np.array([0, 1, 1, 0], dtype).reshape(shape))["train"]
    assert train["label"].dtype == np.int32 and train["label"].tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize("at", [20, 60, 100, 118, -30], ids=str)
def test_a_damaged_npz_is_one_line(at, tmp_path):
    """Zeros in the header of its first array, which numpy parses as Python, or in the zip's own."""
    npz_with(tmp_path)
    path = tmp_path / "train.npz"
    raw = bytearray(path.read_bytes())
    raw[at : at + 12 if at > 0 else None] = b"(" * len(raw[at : at + 12 if at > 0 else None])
    path.write_bytes(raw)
    with pytest.raises(UserError, match="train.npz is no npz file of plain arrays") as error:
        formats.labelled_images(tmp_path, (28, 28, 1), 2)
    assert "\n" not in str(error.value)


def test_what_is_called_npz_and_holds_something_else(tmp_path):
    with (tmp_path / "a.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(UserError, match="a.npz is .*a single array"):
        formats.read_npz(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("notes.txt", "no array")
    with pytest.raises(UserError, match="notes.txt in it is no array"):
        formats.read_npz(tmp_path / "b.npz")


def test_wrong_size_of_images(tmp_path):
    write_npz(tmp_path, False)
    with pytest.raises(UserError, match="expected"):
        cifar10.load(data=str(tmp_path))


@pytest.mark.parametrize("dataset", [mnist, fashion_mnist, cifar10, imagenet])
def test_absent_data_names_the_ways_out(dataset):
    with pytest.raises(UserError) as error:
        dataset.load()
    words = str(error.value)
    assert all(way in words for way in ("TFDS_DATA_DIR", "--data FOLDER", "dljax[tf]"))
    assert "\n" not in words


def test_absent_folder_is_named():
    with pytest.raises(UserError, match="no such folder"):
        mnist.load(data="nowhere")


# TFDS, and large sets


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """A TFDS set like mnist, prepared by a builder of our own, without TensorFlow."""
    import tensorflow_datasets as ds

    home = tmp_path_factory.mktemp("tfds")

    class Mnist(ds.core.GeneratorBasedBuilder):
        VERSION = ds.core.Version("3.0.1")
        pkg_dir_path = home  # a builder in a file that is no package

        def _info(self):
            image = ds.features.Image(shape=(28, 28, 1), encoding_format="png")
            features = {"image": image, "label": ds.features.ClassLabel(num_classes=10)}
            return ds.core.DatasetInfo(builder=self, features=ds.features.FeaturesDict(features))

        def _split_generators(self, manager):
            return {split: self._generate_examples(*pair) for split, pair in splits().items()}

        def _generate_examples(self, x, y):
            for i, (image, label) in enumerate(zip(x, y, strict=True)):
                png = io.BytesIO()
                Image.fromarray(image).save(png, "PNG")
                yield i, {"image": io.BytesIO(png.getvalue()), "label": int(label)}

    Mnist(data_dir=home, file_format="array_record").download_and_prepare()
    return home


def sorted_pairs(image, label):
    """TFDS shuffles when it prepares."""
    return sorted((int(b), a.tobytes()) for a, b in zip(image, label, strict=True))


def test_prepared_tfds(prepared, monkeypatch):
    def not_called_again(*arguments):
        raise AssertionError("decoded twice")

    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared))
    for _ in range(2):  # decoded, then from the cache
        images_in_memory._load.cache_clear()
        for split, pair in zip(mnist.load(), splits().values(), strict=True):
            assert sorted_pairs(**split.arrays) == sorted_pairs(*pair)
        monkeypatch.setattr(images_in_memory, "_decoded", not_called_again)


def test_tfds_records_from_disk(prepared):
    version = tfds.find("mnist", prepared)
    source = images_on_disk.ImageRecords(tfds.open_split(version, "test", encoded=True))
    got = images.center_crop(28, 1.0)(source.gather(np.arange(len(source))), None)
    pairs = sorted_pairs(got["image"][..., 0], got["label"])
    assert pairs == sorted_pairs(*splits()["test"])


def test_tfds_errors(prepared, tmp_path):
    import shutil

    version = tfds.find("mnist", prepared)
    with pytest.raises(UserError, match="no split 'valid'"):
        tfds.open_split(version, "valid")
    copy = tmp_path / "tfds" / "mnist" / "3.0.1"
    shutil.copytree(version, copy)
    info = (copy / "dataset_info.json").read_text()
    (copy / "dataset_info.json").write_text(info.replace("array_record", "tfrecord"))
    with pytest.raises(UserError, match="prepare it again"):
        mnist.load()
    (copy / "dataset_info.json").write_text("{")
    with pytest.raises(UserError, match="damaged"):
        mnist.load()
    (copy / "dataset_info.json").write_text(info)
    for path in tfds.files(copy):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="truncated or foreign"):
        mnist.load()


def test_folder_of_images_from_disk(tmp_path):
    """Images of several sizes; the crop is a function of the example's seed."""
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for i, name in enumerate(("2", "10")):
            home = tmp_path / split / name
            home.mkdir(parents=True)
            for j in range(3):
                pixels = rng.integers(0, 256, (20 + 10 * i, 30 + j, 3), np.uint8)
                Image.fromarray(pixels).save(home / f"{j}.png")
    train, val = imagenet.load(data=str(tmp_path))
    np.testing.assert_array_equal(train.label, [0, 0, 0, 1, 1, 1])  # "2" before "10"
    data = Pipeline(train, 4, transform=images.random_resized_crop(8))
    batch = data.batch(1)
    assert batch["image"].shape == (4, 8, 8, 3) and batch["image"].dtype == np.uint8
    np.testing.assert_array_equal(batch["image"][2:], data.batch(1, slice(2, 4))["image"])
    evaluated = list(EvalSet(val, images.center_crop(8)).batches(4))
    assert [b["image"].shape for b in evaluated] == [(4, 8, 8, 3)] * 2
    (tmp_path / "val" / "2" / "0.png").write_bytes(b"no image")
    with pytest.raises(UserError, match="0.png is no image"):
        list(EvalSet(val, images.center_crop(8)).batches(4))


@pytest.mark.parametrize("dataset", [mnist, fashion_mnist, cifar10])
def test_fake_twin(dataset):
    train, test = dataset.load(fake=True)
    for split in (train, test):
        assert split.arrays["image"].shape[1:] == dataset.SHAPE
        assert split.arrays["image"].dtype == np.uint8 and split.arrays["label"].dtype == np.int32
