"""``dljax import`` and ``export``: a file of weights as a run, and a run as a file of weights."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest

from dljax import models, weights
from dljax.models.convnets import resnet_cifar
from dljax.weights import resnet_cifar as names

ROOT = Path(__file__).parents[1]
FILE = str(ROOT / "experiments" / "convnets" / "resnet_cifar.py")
TINY = ("--variant", "tiny", "--batch", "8", "--epochs", "0.02")


@pytest.fixture
def there(tmp_path) -> Path:
    """A file of a tiny ResNet by its reference's names, every value drawn."""
    model = models.build(resnet_cifar, "tiny")
    shapes = jax.eval_shape(
        lambda x: model.init(jax.random.key(0), x, train=False), np.zeros((1, 16, 16, 1), "f4")
    )
    rng = np.random.default_rng(0)
    drawn = jax.tree.map(lambda x: rng.uniform(0.5, 1, x.shape).astype("f4"), shapes)
    weights.export(drawn, names.entries(model), tmp_path / "there.safetensors")
    return tmp_path / "there.safetensors"


def same(a: Path, b: Path) -> bool:
    one, other = weights.read(a), weights.read(b)
    return one.keys() == other.keys() and all((one[k] == other[k]).all() for k in one)


def test_there_and_back(command, there, tmp_path):
    """The imported run is measured, begun from and written again, bit for bit."""
    status, out, err = command("import", FILE, there.name, *TINY, "--out", "run")
    assert status == 0 and out == "run\n", err
    status, out, err = command("export", "run", "back.safetensors")
    assert status == 0 and out == "back.safetensors: run, step 0\n", err
    assert same(there, tmp_path / "back.safetensors")
    status, out, err = command("eval", "run")
    assert status == 0 and "run, step 0" in out and "test/accuracy" in out, err
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["knobs"]["--init"] == str(there)
    # From the run and from the file training begins alike.
    for source, folder in (("run", "a"), (there.name, "b")):
        status, out, err = command("train", FILE, *TINY, "--init", source, "--workdir", folder)
        assert status == 0, err
    rows = [(tmp_path / folder / "metrics.jsonl").read_text() for folder in "ab"]
    assert rows[0] == rows[1]


def test_refusals(command, there, tmp_path):
    def refused(*words: str) -> str:
        status, _, err = command(*words)
        assert status == 2 and err.count("\n") == 1, err
        return err

    def imported(*words: str) -> str:
        return refused("import", *words)

    assert "nowhere.npz is no file of weights" in imported(FILE, "nowhere.npz", *TINY)
    dcgan = str(ROOT / "experiments" / "adversarial" / "dcgan.py")
    assert "trains 2 networks" in imported(dcgan, there.name, "--variant", "tiny")
    mlp = str(ROOT / "experiments" / "dense" / "mlp.py")
    assert "there is no dljax/weights/mlp.py" in imported(mlp, there.name, "--variant", "tiny")
    assert "of another architecture" in imported(FILE, there.name)  # of 20 layers
    assert not (tmp_path / "runs").exists()
    assert "does not exist" in refused("export", "run", "weights.safetensors")
