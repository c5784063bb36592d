"""The identity of a run: commands that find its folder again, and commands that are kept out."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import jax
import pytest
from alone import python
from toy import toy

import dljax
from dljax import Experiment
from dljax.cli.main import main
from dljax.cli.runs import experiment_of_run, read_record
from dljax.code import default_workdir
from dljax.errors import UserError
from dljax.runtime.loop import run
from dljax.runtime.profile import Mesh, Profile
from dljax.runtime.rundir import RunDir

ROOT = Path(__file__).parents[1]
SMOOTH = ROOT / "tests" / "smooth_digits.py"
PROFILE = Profile(mesh=Mesh(data=1), compilation_cache=jax.config.jax_compilation_cache_dir)

MODEL = """
import flax.linen as nn


class Net(nn.Module):
    width: int = 4

    @nn.compact
    def __call__(self, image, *, train: bool):
        return nn.Dense(10)(nn.sigmoid(nn.Dense(self.width)(image.reshape(image.shape[0], -1))))
"""

FILE = """
from __future__ import annotations

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn
from dljax.data.datasets import digits
from dljax.tasks.classification import classification

CLAIMS = {"fake": {"expect": "test/accuracy >= 0"}}


def experiment(*, epochs: float = 2, seed: int = 0) -> Experiment:
    from my_net import Net  # only now: the folder must still be importable

    train, test = digits.load(fake=True)
    learner, data = learn(classification(Net()), optax.sgd(0.1)), Pipeline(train, 16, seed=seed)
    return Experiment(Phase(learner, data, int(epochs * 2), {"test": EvalSet(test)}), seed=seed)
"""


def where(experiment) -> Path:
    return default_workdir(experiment.origin)


def beside(experiment) -> set[str]:
    """The files that count, but for dljax's and the experiment's own."""
    return {f for f in experiment.origin.code if not f.startswith("dljax/") and f != "mine.py"}


def width(experiment) -> int:
    phase = experiment.phases[0]
    shapes = jax.eval_shape(phase.learner.init, jax.random.key(0), phase.data.batch(0))
    return shapes.params["model"]["Dense_1"]["kernel"].shape[1]


def of_width(number: int) -> str:
    return MODEL.replace("width: int = 4", f"width: int = {number}")


@pytest.fixture
def mine(tmp_path):
    """An experiment file with its own model beside it."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "my_net.py").write_text(MODEL)
    (folder / "mine.py").write_text(FILE)
    return folder


def test_a_default_said_aloud_is_the_same_run(mine):
    build = dljax.load(mine / "mine.py")
    assert where(build()) == where(build(epochs=2))
    assert where(build()) != where(build(epochs=3))


def test_a_default_of_another_type_is_told(mine):
    (mine / "mine.py").write_text(FILE.replace("seed: int = 0", "seed: int = 'one'"))
    with pytest.raises(UserError, match="knob 'seed': its default 'one' is wrong: expected int"):
        dljax.load(mine / "mine.py")


def test_a_module_beside_the_file_is_part_of_what_a_run_means(mine, tmp_path, capfd):
    """Opened again, it finds the data beside its modules, whether they were edited or not."""
    (mine / "width.txt").write_text("6")
    reads = "from pathlib import Path\nW = int((Path(__file__).parent / 'width.txt').read_text())\n"
    (mine / "my_net.py").write_text(reads + MODEL.replace("width: int = 4", "width: int = W"))
    (mine / "mine.py").write_text(FILE + "\n\n" + reads)
    before = dljax.load(mine / "mine.py")()
    run(before, PROFILE, tmp_path / "run", quiet=True)
    held = {p for p in (tmp_path / "run").rglob("*")}
    assert main(["eval", str(tmp_path / "run")]) == 0
    assert "stored" not in capfd.readouterr().err
    (mine / "my_net.py").write_text(of_width(7))
    after = dljax.load(mine / "mine.py")()
    assert where(before) != where(after)
    assert width(after) == 7, "the new text is what runs"
    with pytest.raises(UserError, match="its code has changed: my_net.py"):
        run(after, PROFILE, tmp_path / "run", quiet=True)
    assert main(["eval", str(tmp_path / "run")]) == 0
    told = capfd.readouterr()
    assert "opened with the code that it stored (my_net.py)" in told.err
    assert "test/accuracy" in told.out
    assert held == {p for p in (tmp_path / "run").rglob("*")}, "it is only read"


def test_a_run_whose_file_is_gone_is_opened(mine, tmp_path, capfd):
    """A package beside it counts as far as it is imported, and goes along."""
    package = mine / "nets"
    (package / "tests").mkdir(parents=True)
    (mine / "nets.py").write_text("raise RuntimeError  # the package comes first")
    (package / "__init__.py").write_text("from .inner import Net\n")
    (package / "inner.py").write_text("from . import sizes\n" + of_width(5) + "\n\nX = sizes.X\n")
    (package / "sizes.py").write_text("X = 1\n")
    (package / "tests" / "old.py").write_text("print 'not imported, and no Python'\n")
    (mine / "mine.py").write_text(FILE.replace("from my_net", "from nets"))
    made = dljax.load(mine / "mine.py")()
    assert width(made) == 5
    assert beside(made) == {f"nets/{f}.py" for f in ("__init__", "inner", "sizes")}
    run(made, PROFILE, tmp_path / "run", quiet=True)
    shutil.rmtree(mine)
    assert main(["eval", str(tmp_path / "run")]) == 0
    told = capfd.readouterr()
    assert "mine.py is gone" in told.err and "test/accuracy" in told.out
    assert main(["eval", str(tmp_path / "run"), "--now"]) == 2
    (tmp_path / "run" / "code" / "nets" / "sizes.py").write_text("X = 2")
    assert main(["eval", str(tmp_path / "run")]) == 2
    assert "is not what the run recorded (nets/sizes.py)" in capfd.readouterr().err


def test_what_is_recorded_is_what_ran(mine, monkeypatch):
    """Edited within a second to a text of the same size, with bytecode written; and after loading."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    for number in (1, 2, 3):
        (mine / "my_net.py").write_text(of_width(number))
        made = dljax.load(mine / "mine.py")()
        assert width(made) == number
        assert made.origin.texts["my_net.py"].decode() == of_width(number)
    build = dljax.load(mine / "mine.py")
    (mine / "mine.py").write_text(FILE.replace("epochs * 2", "epochs * 9"))
    build()
    (mine / "my_net.py").write_text(of_width(7))
    made = build()  # of what was imported already
    assert width(made) == 3 and made.total_steps == 4
    assert made.origin.texts["mine.py"].decode() == FILE
    monkeypatch.chdir(mine)
    build = dljax.load("mine.py")
    (mine / "my_net.py").write_text(of_width(8))  # before it is imported
    with pytest.raises(
        UserError, match="my_net.py was edited since mine was loaded: load it again"
    ):
        build()
    build = dljax.load("mine.py")
    monkeypatch.chdir("/")
    assert width(build()) == 8 and build().total_steps == 18


def test_two_folders_may_name_their_modules_alike(mine, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "my_net.py").write_text(of_width(9))
    (other / "mine.py").write_text(FILE)
    builds = [(dljax.load(folder / "mine.py"), n) for folder, n in ((mine, 4), (other, 9))]
    for build, number in [*builds, *builds]:
        assert width(build()) == number


def test_a_folder_named_like_a_library_is_not_taken_for_it(mine):
    for name in ("jax", "optax", "numpy"):
        (mine / name / name).mkdir(parents=True)
        (mine / name / "setup.py").write_text("raise RuntimeError")
        (mine / name / name / "__init__.py").write_text("raise RuntimeError")
    before = sys.modules["optax"]
    made = dljax.load(mine / "mine.py")()
    assert beside(made) == {"my_net.py"} and sys.modules["optax"] is before


def test_a_module_named_like_one_of_pythons_own_is_refused(mine):
    (mine / "random.py").write_text("X = 1")
    (mine / "mine.py").write_text("import random\n" + FILE.replace("from __future__", "# "))
    with pytest.raises(UserError, match="random has the name of a module of Python's own"):
        dljax.load(mine / "mine.py")


def test_a_folder_without_init_is_a_package_too(mine):
    (mine / "nets" / "deep").mkdir(parents=True)
    (mine / "mine.py").write_text(FILE.replace("from my_net import", "from nets.deep.small import"))
    for number in (3, 8):
        (mine / "nets" / "deep" / "small.py").write_text(of_width(number))
        made = dljax.load(mine / "mine.py")()
        assert width(made) == number and beside(made) == {"nets/deep/small.py"}


def test_modules_imported_by_star_or_by_a_computed_name_count(mine):
    (mine / "nets").mkdir()
    (mine / "nets" / "__init__.py").write_text("__all__ = ['small']\n")
    (mine / "nets" / "small.py").write_text(of_width(3))
    (mine / "nets" / ".hidden.py").write_text("no Python")
    for line in (
        "from nets import *",
        "import importlib; importlib.import_module('nets.' + 'small')",
    ):
        (mine / "mine.py").write_text(f"{line}\n" + FILE.replace("from __future__", "# "))
        assert beside(dljax.load(mine / "mine.py")()) == {
            "nets/__init__.py",
            "nets/small.py",
            "my_net.py",
        }


def test_modules_imported_only_when_they_are_needed_are_the_runs_own(mine, tmp_path):
    """In a net's forward pass, with another experiment loaded meanwhile."""
    lazy = MODEL.replace(
        "        return", "        from sizes import X\n\n        assert X == 1\n        return"
    )
    (mine / "my_net.py").write_text(lazy)
    (mine / "sizes.py").write_text("X = 1\n")
    made = dljax.load(mine / "mine.py")()
    other = tmp_path / "other"
    shutil.copytree(mine, other)
    (other / "sizes.py").write_text("X = 2\n")
    dljax.load(other / "mine.py")()
    dljax.load(SMOOTH)()
    run(made, PROFILE, tmp_path / "run", quiet=True)
    assert main(["eval", str(tmp_path / "run")]) == 0
    assert main(["describe", str(mine / "mine.py")]) == 0


def test_what_python_offers_modules_works_for_those_beside_a_file(mine):
    import inspect
    import pkgutil

    (mine / "nets").mkdir()
    (mine / "nets" / "vocabulary.txt").write_text("words")
    reads = "import importlib.resources\nW = importlib.resources.files('nets') / 'vocabulary.txt'\n"
    (mine / "nets" / "__init__.py").write_text(reads + "W = W.read_text()\n" + MODEL)
    (mine / "mine.py").write_text(FILE.replace("from my_net", "from nets"))
    made = dljax.load(mine / "mine.py")()
    assert beside(made) == {"nets/__init__.py"}
    assert sys.modules["nets"].W == "words"
    assert pkgutil.get_data("nets", "vocabulary.txt") == b"words"
    assert "class Net" in inspect.getsource(sys.modules["nets"])


def test_a_text_in_another_encoding_comes_back(mine, tmp_path):
    text = ("# -*- coding: latin-1 -*-\nWORD = 'caf\u00e9'\n" + MODEL).encode("latin-1")
    (mine / "my_net.py").write_bytes(text)
    run(dljax.load(mine / "mine.py")(), PROFILE, tmp_path / "run", quiet=True)
    assert (tmp_path / "run" / "code" / "my_net.py").read_bytes() == text


def test_a_start_that_was_killed_is_made_again(mine, tmp_path):
    for left in ("code", "code.tmp"):
        (tmp_path / "run" / left).mkdir(parents=True)
        (tmp_path / "run" / left / "half.py").write_text("import")
    run(dljax.load(mine / "mine.py")(), PROFILE, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run" / "code.tmp").exists()
    assert not (tmp_path / "run" / "code" / "half.py").exists()


def test_a_run_changed_by_hand_is_not_opened_as_if_it_were_not(tmp_path, capsys):
    whole = dljax.load(SMOOTH)(steps=2)
    run(Experiment(whole.phases[0]), PROFILE, tmp_path / "run", quiet=True)
    assert main(["eval", str(tmp_path / "run")]) == 2
    assert "no file tells its experiment" in capsys.readouterr().err


def test_a_module_is_run_once_for_one_text(mine):
    """A dataset's builder, for instance, registers its name, and may not twice."""
    count = "\nimport sys\nsys.times = getattr(sys, 'times', 0) + 1\n"
    (mine / "my_net.py").write_text(MODEL + count)
    for _ in range(3):
        dljax.load(mine / "mine.py")()
    assert sys.__dict__.pop("times") == 1


@pytest.mark.parametrize(
    "words", [["train"], ["sweep", "--seed", "0:2"], ["launch", "--slurm", "--dry-run"]]
)
def test_a_module_that_is_no_python_is_named(mine, words, capsys):
    (mine / "my_net.py").write_text("def broken(:\n")
    assert main([words[0], str(mine / "mine.py"), *words[1:]]) == 2
    told = capsys.readouterr().err
    assert "my_net.py is not Python (line 1)" in told and len(told.splitlines()) == 1


def test_an_experiment_changed_by_hand_needs_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole = dljax.load(SMOOTH)(steps=2)
    with pytest.raises(UserError, match="by hand, so nothing tells its run from another"):
        run(Experiment(replace(whole.phases[0], every=1)), PROFILE, quiet=True)
    assert not any(tmp_path.iterdir())
    shorter = Experiment(replace(whole.phases[0], steps=1))
    assert int(run(shorter, PROFILE, tmp_path / "run", quiet=True).state.step) == 1
    # What can be told of it is its length and its seed.
    longer = Experiment(replace(whole.phases[0], steps=3))
    for experiment, says in (
        (longer, r"steps: it had \[1\], you gave \[3\]"),
        (whole, "one of them was changed by hand"),
    ):
        with pytest.raises(UserError, match=says):
            run(experiment, PROFILE, tmp_path / "run", quiet=True)


def test_going_on_anyway_leaves_a_finished_run_its_code(tmp_path, capsys):
    def code(anyway: bool) -> dict[str, str]:
        run(
            toy(origin={"texts": {"toy.py": str(int(anyway)).encode()}}),
            PROFILE,
            tmp_path / "run",
            anyway=anyway,
        )
        return json.loads((tmp_path / "run" / "record.json").read_text())["code"]

    before = code(anyway=False)
    assert code(anyway=True) == before
    assert "going on with other code than the run had so far: toy.py" in capsys.readouterr().out
    (tmp_path / "run" / "result.json").unlink()  # as if it had been stopped
    assert code(anyway=True) != before


def test_one_run_at_a_time_in_a_folder(tmp_path):
    experiment = dljax.load(SMOOTH)(steps=2)
    with RunDir(tmp_path / "run", experiment, PROFILE):
        before = {p: p.read_bytes() for p in (tmp_path / "run").iterdir() if p.is_file()}
        words = ["train", str(SMOOTH), "--steps", "2", "--workdir", str(tmp_path / "run")]
        done = python("-m", "dljax", *words)
        assert done.returncode == 2 and "another run is training in" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert before == {p: p.read_bytes() for p in (tmp_path / "run").iterdir() if p.is_file()}
    assert "test/accuracy" in run(experiment, PROFILE, tmp_path / "run", quiet=True).metrics


def test_a_knob_called_seeds_is_the_files_own(mine, tmp_path):
    """Not what the sweep writes where it trains several in one program."""
    (mine / "mine.py").write_text(FILE.replace("seed: int = 0)", "seed: int = 0, seeds: int = 1)"))
    made = dljax.load(mine / "mine.py")(seeds=3)
    run(made, PROFILE, tmp_path / "run", quiet=True)
    opened = experiment_of_run(tmp_path / "run", read_record(tmp_path / "run"), {})
    assert opened.origin.knobs == made.origin.knobs and made.origin.knobs["seeds"] == 3
    assert opened.seed == 0
