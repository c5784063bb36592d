"""A researcher's own folder: the README's files, an installed package, no checkout in sight."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from alone import environment

ROOT = Path(__file__).parents[1]


def listings() -> dict[str, str]:
    """The README's code blocks that begin with their own file name."""
    blocks = re.findall(r"```python\n# (\S+\.py)\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    return dict(blocks)


@pytest.fixture
def elsewhere(tmp_path):
    """A folder of one's own, and a python that sees nothing but the package."""
    site = tmp_path / "site"
    shutil.copytree(ROOT / "dljax", site / "dljax", ignore=shutil.ignore_patterns("__pycache__"))
    mine = tmp_path / "mine"
    mine.mkdir()
    for name, text in listings().items():
        (mine / name).write_text(text)

    def python(*arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=mine,
            env=environment(PYTHONPATH=str(site), JAX_PLATFORMS="cpu"),
            capture_output=True,
            text=True,
            timeout=120,
        )

    where = python("-c", "import dljax; print(dljax.__file__)").stdout
    assert str(site) in where
    return mine, python


def test_own_experiment_with_its_own_model_trains(elsewhere):
    mine, python = elsewhere
    assert {"my_model.py", "my_experiment.py"} <= set(listings())
    out = python("-m", "dljax", "train", "my_experiment.py", "--epochs", "1", "--on", "cpu",
                 "--workdir", "run")  # fmt: skip
    assert out.returncode == 0, out.stderr
    record = json.loads((mine / "run" / "record.json").read_text())
    assert record["knobs"]["epochs"] == 1
    assert (mine / "run" / "report.html").exists()
    again = python("-m", "dljax", "eval", "run")
    assert again.returncode == 0, again.stderr
    assert "test/accuracy" in again.stdout


def test_three_lines_of_python(elsewhere):
    mine, python = elsewhere
    lines = re.search(r"```python\n(import dljax\n.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert lines, "the README shows how to run from Python"
    program = lines[1].replace("experiments/convnets/lenet.py", "my_experiment.py")
    program = re.sub(r"epochs=\d+", "epochs=1", program)
    out = python("-c", program)
    assert out.returncode == 0, out.stderr
    assert list((mine / "runs").glob("my_experiment-*/report.html"))
