"""``dljax predict``: image files through a run's own evaluation transforms."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dljax.data.datasets import digits
from dljax.data.sources import images_on_disk

ROOT = Path(__file__).parents[1]
LENET = str(ROOT / "experiments" / "convnets" / "lenet.py")


def test_files_are_classified_as_the_set_is(command, tmp_path):
    """The test images, written as files, are right as often as ``eval`` measures."""
    status, _, err = command(
        "train", LENET, "--variant", "tiny", "--epochs", "3", "--workdir", "run"
    )
    assert status == 0, err
    measured = json.loads((tmp_path / "run" / "result.json").read_text())["metrics"]
    _, test = digits.load()
    (tmp_path / "files" / "more").mkdir(parents=True)
    labels = test.arrays["label"]
    for i, image in enumerate(test.arrays["image"]):
        place = "files/more" if i % 2 else "files"
        Image.fromarray(image[..., 0]).save(tmp_path / place / f"{i:03}.png")
    status, out, err = command("predict", "run", "files", "--json", "--top", "2")
    assert status == 0, err
    rows = [json.loads(line) for line in out.splitlines()]
    assert len(rows) == len(labels)
    right = [row["classes"][0]["class"] == str(labels[int(Path(row["file"]).stem)]) for row in rows]
    assert np.mean(right) == pytest.approx(measured["test/accuracy"], abs=1e-6)
    for row in rows:
        first, second = row["classes"]
        assert 1 >= first["probability"] >= second["probability"] >= 0
        assert first["class"] == str(first["number"])
    status, out, err = command("predict", "run", "files/000.png", "--top", "1")
    assert status == 0 and out.splitlines()[0] == "files/000.png" and "%" in out.splitlines()[1]


def test_refusals(command, tmp_path):
    def refused(*words: str) -> str:
        status, _, err = command(*words)
        assert status == 2 and err.count("\n") == 1, err
        return err

    small = ("--variant", "tiny", "--epochs", "0.02", "--workdir", "run")
    assert command("train", LENET, *small)[0] == 0
    (tmp_path / "empty").mkdir()
    (tmp_path / "no.png").write_text("no image")
    assert "empty holds no images" in refused("predict", "run", "empty")
    assert "absent.png is no file" in refused("predict", "run", "absent.png")
    assert "no.png" in refused("predict", "run", "no.png")
    assert "--top 0" in refused("predict", "run", "no.png", "--top", "0")
    dcgan = str(ROOT / "experiments" / "adversarial" / "dcgan.py")
    small = ("--variant", "tiny", "--epochs", "0.02", "--batch", "8", "--workdir", "gan")
    assert command("train", dcgan, *small)[0] == 0
    assert "predicts nothing" in refused("predict", "gan", "no.png")


def test_the_middle_of_an_image_is_resized(tmp_path):
    """Of 8 x 20 pixels the middle 8 x 8, gray or in color, and to half their number."""
    image = np.random.default_rng(0).integers(0, 256, (8, 20, 3), np.uint8)
    image[:, 6:14] = np.repeat(np.array([[200, 0, 0], [0, 0, 100]], np.uint8), 4, axis=0)
    Image.fromarray(image).save(tmp_path / "wide.png")
    (found,) = images_on_disk.resized([tmp_path / "wide.png"], (8, 8, 3))
    np.testing.assert_array_equal(found, image[:, 6:14])
    (gray,) = images_on_disk.resized([tmp_path / "wide.png"], (8, 8, 1))
    assert gray[0, 0] == 60 and gray[0, 7] == 11  # ITU-R 601: 0.299 and 0.114
    (half,) = images_on_disk.resized([tmp_path / "wide.png"], (4, 4, 3))
    assert half.shape == (4, 4, 3)
