"""The code of dljax is part of a run's meaning, in the rooms that say what is computed."""

import json
import re
import shutil
from pathlib import Path

import pytest
from alone import python

from dljax.code import closure

ROOT = Path(__file__).parents[1]

IMPORTS = {
    "from dljax.models.convnets import lenet": {"models/convnets/lenet", "nn/conv", "nn/pool"},
    "from dljax.models.convnets.lenet import MODEL": {"models/convnets/lenet", "nn/conv"},
    "import dljax.tasks.classification": {"tasks/classification", "tasks/linen"},
    "def f():\n    import dljax.rules.perceptron as p": {"rules/perceptron", "learner/core"},
    "import dljax\nX = dljax.learner.freeze": {"learner/combinators"},
    "from dljax import Experiment": {"experiment", "data/pipeline", "learner/core"},
    "import dljax as d\nX = d.Phase": {"experiment"},
    "from dljax import models\nX = models.build": {"models/__init__"},
    "import importlib\nimportlib.import_module('dljax.data.' + 'fake')": {
        "data/fake",
        "models/dense/mlp",
    },
    "from dljax.analysis import classifier\nfrom dljax.runtime.loop import run": set(),
}


@pytest.mark.parametrize("line", IMPORTS)
def test_code_of_dljax_that_says_what_is_followed(line, tmp_path):
    found = {f.removeprefix("dljax/") for f in closure(tmp_path / "mine.py", line.encode())}
    assert {f"{name}.py" for name in IMPORTS[line]} | {"mine.py"} <= found
    if not IMPORTS[line]:
        assert found == {"mine.py"}
    says_where = ("runtime/", "cli/", "analysis/", "__init__", "loading", "knobs", "code")
    assert not any(file.startswith(says_where) for file in found)
    if "import_module" not in line:
        assert not any("gpt" in file for file in found), "what is not imported does not count"


EDIT = """
import os, sys
from pathlib import Path
from dljax.cli.main import main
train = ["train", "experiments/convnets/lenet.py", "--variant", "tiny", "--fake", "--epochs", "1"]
net = Path("dljax/models/convnets/lenet.py")
if sys.argv[1] == "before":
    assert main(train) == 0
    net.write_text(net.read_text().replace("jax.nn.relu", "jnp.sin"))
    assert main(train) == 2
    sys.exit(main(["eval", *train[1:]]))
else:
    for words in (
        ["eval", sys.argv[2]],
        ["eval", sys.argv[2], "--now"],
        ["describe", sys.argv[2]],
        [*train, "--workdir", sys.argv[2]],
        train,
        [*train, "--workdir", sys.argv[2], "--anyway"],
        ["eval", sys.argv[2]],
    ):
        if "--anyway" in words:  # as if it had been stopped before its end
            Path(sys.argv[2], "result.json").unlink()
        print("$", main(words), flush=True)
"""


@pytest.mark.deep
def test_an_edited_model_of_dljax_makes_another_run(tmp_path, monkeypatch):
    """Trained, edited, and opened with what it was: the whole of it, in a copy of dljax."""
    for folder in ("dljax", "experiments/convnets"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    monkeypatch.chdir(tmp_path)
    done = python("-c", EDIT, "before", PYTHONPATH=str(tmp_path))
    assert done.returncode == 2, done.stderr
    assert "lenet.py was edited after this process imported it: start Python anew" in done.stderr
    (old,) = Path("runs").iterdir()
    assert f"does not exist: name {old}, of the same knobs and other code" in done.stderr
    then = json.loads((old / "result.json").read_text())["metrics"]["test/loss"]
    done = python("-c", EDIT, "after", old, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    first, today, layers, refused, anew, _, last = re.split(r"\$ \d\n", done.stdout)[:7]
    assert re.findall(r"\$ (\d)", done.stdout) == ["0", "0", "0", "2", "0", "0", "0"]
    assert "2,206 trainable parameters" in layers
    number = f"test/loss      {then:.5g}\n"
    assert number in first and number not in today and number not in last
    # Twice before, and not at the end: --anyway made it today's.
    assert done.stderr.count("opened with the code that it stored") == 2
    changed = (
        "its code has changed: dljax/models/convnets/lenet.py): use another --workdir, or --anyway"
    )
    assert changed in done.stderr and not refused
    assert f"lenet.py changed since {old}" in anew and len(list(Path("runs").iterdir())) == 2
