"""The target of a command line: the word that is a file, a run or a model."""

import pytest

from dljax.cli.parsing import Parser, take_target
from dljax.errors import UserError


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Two runs' folders and two files, named like what they are not."""
    monkeypatch.chdir(tmp_path)
    for run in ("runs/a", "lenet", "b.py"):
        (tmp_path / run).mkdir(parents=True)
        (tmp_path / run / "record.json").write_text("{}")
    for file in ("own.py", "other.py"):
        (tmp_path / file).write_text("def experiment(): ...")


@pytest.mark.parametrize(
    "words, kinds, found",
    [
        ("own.py", "file", "file own.py:"),
        ("absent.py --flag", "file", "file absent.py: --flag"),
        ("--lr 3 own.py", "file", "file own.py: --lr 3"),
        ("--fake own.py", "file", "file own.py: --fake"),  # a knob that is on or off
        ("--on gpu own.py", "file", "file own.py: --on gpu"),
        ("--on other.py own.py", "file", "file own.py: --on other.py"),
        ("--other other.py own.py", "file", "file own.py: --other other.py"),
        ("--other=other.py own.py", "file", "file own.py: --other=other.py"),
        ("mine", "file", "file mine:"),
        ("mine own.py", "file", "file own.py: mine"),
        ("runs/a", "file run", "run runs/a:"),
        ("--best runs/a", "file run", "run runs/a: --best"),
        ("--prompt own.py runs/a", "file run", "run runs/a: --prompt own.py"),
        ("--prompt runs/a lenet", "run", "run lenet: --prompt runs/a"),
        ("own.py --workdir runs/a", "file run", "file own.py: --workdir runs/a"),
        ("--workdir runs/a own.py", "file run", "file own.py: --workdir runs/a"),
        ("b.py", "file run", "run b.py:"),
        ("nowhere", "file run", "run nowhere:"),
        ("lenet", "file model", "model lenet:"),
        ("lenet:tiny", "file model", "model lenet:tiny:"),
        ("--best gcn", "file model", "model gcn: --best"),
        ("lenett", "file model", "model lenett:"),
        ("runs/a", "file", "runs/a is a run's folder: dljax x takes an experiment file"),
        ("own.py", "run", "own.py is an experiment file: dljax x takes a run's folder"),
        ("--best", "file run", "name an experiment file or a run's folder"),
        ("--on own.py", "file", "name an experiment file"),
        ("long" * 99, "file run", f"run {'long' * 99}:"),
    ],
)
def test_a_file_a_run_or_a_model(places, words, kinds, found):
    parser = Parser("x", "", "")
    parser.add_argument("--on")
    parser.add_argument("--workdir")
    parser.add_argument("--best", action="store_true")
    try:
        target = take_target(parser, words.split(), *kinds.split())
        told = f"{target.kind} {target.word}: {' '.join(target.rest)}".strip()
        assert told == found
    except UserError as error:
        assert found in str(error)
