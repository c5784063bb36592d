"""Folders of images, one per class: the classes they define, and files that hold no image."""

import re

import numpy as np
import pytest
from PIL import Image

from dljax.data import EvalSet, Pipeline, images
from dljax.data.datasets import imagenet, mnist
from dljax.data.sources import formats
from dljax.errors import UserError


def write(folder, split, classes, sides=(28, 28), each=1):
    """``each`` images of every class; all pixels of an image are 20 times its class."""
    for name in classes:
        home = folder / split / str(name)
        home.mkdir(parents=True)
        for i in range(each):
            Image.new("L", sides, 20 * int(name)).save(home / f"{i}.png")


def in_memory(folder):
    return [split.arrays["label"] for split in mnist.load(data=str(folder))]


def from_disk(folder):
    return [split.label for split in imagenet.load(data=str(folder))]


READERS = pytest.mark.parametrize(
    "read, other", [(in_memory, "test"), (from_disk, "val")], ids=["in memory", "from disk"]
)


@READERS
def test_a_label_is_a_position_among_the_training_classes(read, other, tmp_path):
    write(tmp_path, "train", range(10))
    write(tmp_path, other, [0, 1, 2, 4, 9])
    train, test = read(tmp_path)
    np.testing.assert_array_equal(train, np.arange(10))
    np.testing.assert_array_equal(test, [0, 1, 2, 4, 9])


@READERS
def test_a_class_that_was_not_trained_is_refused(read, other, tmp_path):
    write(tmp_path, "train", [0, 1, 2])
    write(tmp_path, other, [0, 3])
    with pytest.raises(UserError, match=f"{tmp_path}/{other}/3: .* in {tmp_path}/train"):
        read(tmp_path)


@READERS
def test_an_evaluation_split_without_class_folders_is_refused(read, other, tmp_path):
    write(tmp_path, "train", [0, 1])
    (tmp_path / other).mkdir()
    with pytest.raises(UserError, match="one folder of images per class"):
        read(tmp_path)


@pytest.mark.parametrize(
    "folders, told",
    [(["a", "b"], "a holds no images"), ([], "found 0"), (["a"], "found 1")],
    ids=["no images", "no class", "one class"],
)
def test_training_classes(folders, told, tmp_path):
    for name in folders:
        (tmp_path / name).mkdir()
    with pytest.raises(UserError, match=told):
        formats.class_folders(tmp_path)


# Damaged files


def dangling(path):
    path.unlink()
    path.symlink_to("nowhere.png")


def a_folder(path):
    path.unlink()
    path.mkdir()


def truncated(path):
    Image.linear_gradient("L").resize((28, 28)).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:-200])


def no_image(path):
    path.write_bytes(b"<html>not here</html>")


def too_many_pixels(path):
    """A GIF's header that promises 65535 x 65535 of them."""
    path.write_bytes(b"GIF89a" + b"\xff" * 4 + b"\0\0\0" + path.read_bytes())


DAMAGE = [dangling, a_folder, truncated, no_image, too_many_pixels]


@pytest.mark.parametrize("spoil", DAMAGE, ids=[f.__name__ for f in DAMAGE])
@READERS
def test_a_damaged_file_is_named(read, other, spoil, tmp_path):
    write(tmp_path, "train", [0, 1], each=2)
    write(tmp_path, other, [0, 1])
    bad = tmp_path / "train" / "1" / "1.png"
    spoil(bad)
    with pytest.raises(UserError, match=re.escape(str(bad))):
        read(tmp_path)
        train, _ = imagenet.load(data=str(tmp_path))
        Pipeline(train, 4, transform=images.random_resized_crop(8)).batch(0)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    """For want of permission, or because it has gone."""
    write(tmp_path, "train", [0, 1])
    write(tmp_path, "val", [0, 1])
    _, val = imagenet.load(data=str(tmp_path))
    bad = tmp_path / "val" / "1" / "0.png"
    bad.unlink()
    with pytest.raises(UserError, match=f"{bad} cannot be read"):
        list(EvalSet(val, images.center_crop(8)).batches(2))


def test_hidden_folders_are_no_classes(tmp_path):
    write(tmp_path, "train", range(3))
    (tmp_path / "train" / ".ipynb_checkpoints").mkdir()
    assert len(formats.class_folders(tmp_path / "train")[0]) == 3


def test_a_folder_that_cannot_be_listed_is_named(tmp_path):
    with pytest.raises(UserError, match="gone cannot be read: No such file"):
        formats.class_folders(tmp_path / "gone")
