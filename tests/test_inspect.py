"""``dljax inspect``: each instrument on a run, its numbers against those that the run measured itself."""

import json
import re
from pathlib import Path

import flax.linen as nn
import jax
import numpy as np
import optax
import pytest
from PIL import Image
from refusal import refused

from dljax import Arrays, EvalSet, learn
from dljax.analysis.pixels import OfPixels
from dljax.cli import instruments, measures
from dljax.cli.asked import Options
from dljax.cli.inspecting import INSTRUMENTS
from dljax.cli.main import main
from dljax.cli.runs import experiment_of_run, open_checkpoint, read_record
from dljax.cli.subject import Subject, subject_of
from dljax.data.datasets import digits
from dljax.runtime.profile import load_profile
from dljax.tasks.classification import classification
from dljax.types import Task, Variables

ROOT = Path(__file__).parents[1]
LENET = str(ROOT / "experiments" / "convnets" / "lenet.py")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a run of a small LeNet on digits."""
    folder = tmp_path_factory.mktemp("inspected")
    (folder / "one.toml").write_text("[mesh]\ndata = 1")
    words = ["train", LENET, "--variant", "tiny", "--epochs", "4", "--workdir", f"{folder}/run"]
    assert main([*words, "--on", f"{folder}/one.toml"]) == 0
    return folder


@pytest.fixture
def inspect(home, monkeypatch, capsys):
    """Inspect one of these runs: what was printed."""
    monkeypatch.chdir(home)

    def run(*words: str) -> str:
        capsys.readouterr()
        status = main(["inspect", *words, "--on", "one.toml"])
        out, err = capsys.readouterr()
        assert status == 0, err
        return out

    return run


def files(out: str) -> list[Path]:
    return [Path(line) for line in out.splitlines() if line.endswith((".png", ".html"))]


def number(out: str, before: str) -> float:
    found = re.search(re.escape(before) + r"\s+([\d.]+)", out)
    assert found, out
    return float(found[1])


def measured(folder: Path) -> dict[str, float]:
    return json.loads((folder / "result.json").read_text())["metrics"]


def test_without_a_name_what_there_is_is_listed(inspect):
    out = inspect("run")
    assert "10 classes of images 28x28x1" in out
    assert all(f"    {name}" in out for name in INSTRUMENTS)
    layers = [line.split() for line in out.partition("layers,")[2].splitlines()[1:]]
    expected = [["c1", "28x28x2"], ["c3", "10x10x4"], ["c5", "16"], ["f6", "12"], ["output", "10"]]
    assert layers == expected


# instrument -> words, and how many pictures come of them
SHORT = {
    "filters": ("", 1),
    "activations": ("--limit 2", 2),
    "examples": ("--layer c3 --channel 0,2 --steps 2 --limit 40", 1),
    "visualize": ("--class 3 --class 5 --steps 2", 1),
    "atlas": ("--layer f6 --steps 2 --limit 60", 1),
    "explanations": ("--limit 2", 1),
    "attacks": ("--limit 359 --epsilon 0.3 --steps 1", 2),
    "calibration": ("", 1),
    "confusion": ("", 1),
    "extrapolation": ("--against noise --limit 50", 1),
}


def test_every_instrument_is_among_those():
    assert set(SHORT) == set(INSTRUMENTS)


@pytest.mark.parametrize("name", SHORT)
def test_pictures_go_into_the_run_and_its_report(name, inspect, home):
    words, count = SHORT[name]
    out = inspect("run", name, *words.split())
    *pictures, report = files(out)
    assert report == Path("run/report.html") and len(pictures) == count
    text = report.read_text()
    for picture in pictures:
        assert picture.parent == Path("run/pictures") and picture.name.startswith(f"inspect-{name}")
        assert f'alt="{picture.stem.rpartition("_")[0]}"' in text
        shown = np.asarray(Image.open(picture))
        assert min(shown.shape[:2]) > 30 and np.ptp(shown) > 50, "it shows something"
    if name in CHECKS:
        CHECKS[name](out, measured(home / "run"))


def check_attacks(out: str, known: dict[str, float]) -> None:
    """Without a radius the accuracy is that of the run, and it falls."""
    table = np.array([[float(x) for x in row.split()] for row in out.splitlines()[2:9]])
    np.testing.assert_allclose(table[:, 0], np.linspace(0, 0.3, 7), atol=1e-4)
    np.testing.assert_allclose(table[0, 1:], known["test/accuracy"], atol=1e-4)
    assert (table[-1, 1:] < known["test/accuracy"] - 0.1).all()


def check_calibration(out: str, known: dict[str, float]) -> None:
    assert number(out, "accuracy") == pytest.approx(known["test/accuracy"], abs=5e-5)
    error = known["calibration/ece"]
    assert number(out, "expected calibration error") == pytest.approx(error, abs=1e-4)


def check_confusion(out: str, known: dict[str, float]) -> None:
    """All digits by class, worst first, and the same by quarters of brightness."""
    assert 0.2 < known["test/accuracy"] < 0.999
    assert number(out, "accuracy") == pytest.approx(known["test/accuracy"], abs=5e-5)
    parts = out.split("\n\n")
    classes = [row.split() for row in parts[0].splitlines()[2:12]]
    _, test = digits.load()
    sizes = np.bincount(test.arrays["label"])
    assert {int(row[0]): int(row[1]) for row in classes} == dict(enumerate(sizes))
    accuracies = [float(row[2]) for row in classes]
    assert accuracies == sorted(accuracies)
    groups = [row.split() for row in parts[1].splitlines()[1:5]]
    assert sum(int(row[3]) for row in groups) == 359
    brightness = np.sort(test.arrays["image"].mean((1, 2, 3)) / 255)
    assert min(float(row[0]) for row in groups) == pytest.approx(brightness[0], abs=1e-3)
    assert max(float(row[2]) for row in groups) == pytest.approx(brightness[-1], abs=1e-3)


# What was printed, against what training measured.
CHECKS = {
    "attacks": check_attacks,
    "calibration": check_calibration,
    "confusion": check_confusion,
}


def test_a_set_is_not_told_from_itself(inspect, home):
    """AUROC 1/2 exactly, of the test images written as files."""
    (home / "same").mkdir()
    _, test = digits.load()
    for i, image in enumerate(test.arrays["image"]):
        Image.fromarray(image[..., 0]).save(home / "same" / f"{i:03}.png")
    out = inspect("run", "extrapolation", "--against", "same", "--against", "shuffled")
    row = next(line.split() for line in out.splitlines() if line.startswith("same"))
    assert row[1] == "359" and row[3] == "0.5000"


def test_examples_name_those_that_excite_most(inspect, home):
    """The logit of class 4: the three images of the largest, computed from a plain prediction."""
    out = inspect("run", "examples", "--layer", "output", "--channel", "4", "--steps", "2")
    named = [int(x) for x in re.findall(r"(\d+) \(\d\)", out)]
    path = Path("run")
    experiment = experiment_of_run(path, read_record(path), {})
    opened = open_checkpoint(experiment, path, load_profile("one.toml"))
    learner = opened.executor.learner
    _, test = digits.load()
    image = test.arrays["image"].astype(np.float32) / 255
    logits = jax.jit(learner.predict)(learner.chosen(opened.state), {"image": image})
    assert named[:3] == list(np.argsort(-np.asarray(logits)[:, 4])[:3])


def test_image_files_stand_for_the_set(inspect, home):
    """Two files, one of them in a folder; the caption is the guess alone."""
    (home / "some" / "more").mkdir(parents=True)
    _, test = digits.load()
    for name, i in (("some/a.png", 3), ("some/more/b.png", 4)):
        Image.fromarray(test.arrays["image"][i, ..., 0]).resize((64, 64)).save(home / name)
    out = inspect("run", "explanations", "--image", "some")
    rows = re.findall(r"^(\d) +(\d\.\d{3}) .*$", out, re.M)
    assert len(rows) == 2 and all(0.1 <= float(chance) <= 1 for _, chance in rows)
    out = inspect("run", "examples", "--image", "some", "--layer", "c1", "--steps", "2")
    assert "a.png" in out and "b.png" in out and "the strongest of 2 examples" in out
    assert inspect("run", "activations", "--image", "some/a.png").count("nowhere above 0") == 2


class Dense(nn.Module):
    @nn.compact
    def __call__(self, image, *, train: bool):
        return nn.Dense(3, name="out")(nn.Dense(5, name="weights")(image.reshape(len(image), -1)))


def subject(key, task: Task) -> Subject:
    image = np.random.default_rng(0).random((6, 7, 4, 1), np.float32)
    arrays = {"image": image, "label": np.arange(6) % 3}
    learner = learn(task, optax.sgd(0.1))
    variables = Variables(*task.init(key, {"image": image}))
    return subject_of(Path("run"), learner, EvalSet(Arrays(arrays)), variables, key)


def test_a_network_without_maps(key):
    """Of dense layers: its first weights are pictures, and it is explained without Grad-CAM."""
    found = subject(key, classification(Dense()))
    assert list(found.layers.items()) == [("weights", (5,)), ("out", (3,))], "in order of calls"
    shown = instruments.filters(found, Options())
    assert shown.text.startswith("weights: 5 filters of 7x4x1")
    kernel = np.asarray(found.variables.params["model"]["weights"]["kernel"]).reshape(7, 4, 5)
    first = shown.pictures["weights"][6:-1:6, 6:-1:6][:7, :4]  # 48 // 7 pixels for each
    np.testing.assert_allclose(first, 0.5 + 0.5 * kernel[..., 0] / np.abs(kernel).max(), rtol=1e-5)
    shown = instruments.explanations(found, Options(limit=2))
    assert "occlusion" in shown.text and "Grad-CAM" not in shown.text
    with refused("no layer of it returns what this takes"):
        instruments.activations(found, Options())


def test_what_is_no_classifier(key):
    task = classification(Dense())

    def regression(variables, batch):
        return task.predict(variables, batch)[:, 0]

    for predict in (None, regression):
        with refused("run is a run of no classifier of images: dljax sample shows it"):
            subject(key, task._replace(predict=predict))


REFUSED = [
    ("nowhere filters", "nowhere does not exist"),
    ("run filterz", "no instrument 'filterz': did you mean 'filters'"),
    ("run saliency", "no instrument 'saliency': it is a part of explanations"),
    ("run atlas --layer f7", "no layer 'f7'; did you mean 'f6'"),
    ("run activations --layer f6", "layer 'f6' returns 12, expected maps; known: c1, c3"),
    ("run filters --layer c3", "no weights of 'c3' can be shown as pictures; did you mean 'c1'"),
    ("run examples --layer c1 --channel 2", "--channel 2: layer 'c1' has channels 0 to 1"),
    ("run examples --channel one", "--channel one: expected numbers, as 0,3,5"),
    ("run visualize --class ten", "no class 'ten'; known: 0, 1, 2"),
    ("run visualize --layer c1 --class 1", "leave one out"),
    ("run visualize --channel 1", "--channel goes with --layer"),
    ("run confusion --image a.png", "confusion takes no --image: it goes with activations"),
    ("run --layer c1", "the list of instruments takes no --layer"),
    ("run activations --image absent.png", "absent.png is no file"),
    ("run activations --image no.png", "no.png"),
    ("run activations --image hollow", "hollow holds no images"),
    ("run attacks --epsilon 2", "--epsilon 2: expected a number above 0, at most 1"),
    ("run atlas --limit 0", "--limit 0: expected a whole number above 0"),
    ("run atlas --limit 5", "an atlas of 5 examples: expected 8 or more"),
    ("run extrapolation --against nist", "no set 'nist' and no folder; did you mean 'mnist'"),
    ("run filters --step 7", "run holds no step 7"),
]


@pytest.mark.parametrize("words, told", REFUSED, ids=[words for words, _ in REFUSED])
def test_refusals(words, told, home, monkeypatch, capsys):
    monkeypatch.chdir(home)
    (home / "no.png").write_text("no image")
    (home / "hollow").mkdir(exist_ok=True)
    before = sorted((home / "run").rglob("*"))
    capsys.readouterr()
    assert main(["inspect", *words.split(), "--on", "one.toml"]) == 2
    _, err = capsys.readouterr()
    assert err.startswith("dljax: ") and err.count("\n") == 1 and told in err, err
    assert sorted((home / "run").rglob("*")) == before


def test_groups_of_a_column(key):
    """Of six answers both of bob's are wrong; the set's own column makes the groups."""
    label, guess = np.array([0, 0, 1, 1, 1, 0]), np.array([0, 1, 1, 0, 1, 0])
    writer = np.array(["ann", "bob", "ann", "bob", "ann", "ann"])
    image = np.full((6, 2, 2, 1), 0.5, np.float32)
    arrays = {"image": image, "label": label, "guess": guess, "writer": writer}

    def predict(variables, batch):
        return jax.nn.one_hot(batch["guess"], 2)

    network = OfPixels(predict, EvalSet(Arrays(arrays)), lambda image: image)
    looked = Subject(Path("run"), network, None, (), 2, (2, 2, 1), {}, key)
    text = measures.confusion(looked, Options()).text
    assert "writer  n  accuracy\nbob     2    0.0000\nann     4    1.0000\n" in text
    assert "brightness      n  accuracy\n0.500 to 0.500  6    0.6667\n" in text
