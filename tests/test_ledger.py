"""The ledger and the claims, as far as they can be checked without training: levels, commands, tables, and
the program that measures (benchmarks/check_ledger.py).
"""

import datetime
import importlib.util
import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dljax import catalog
from dljax.catalog import Ledger, Measured, Parity, Row
from dljax.claims import Claim, Expect
from dljax.cli import listing
from dljax.knobs import read_knobs

ROOT = Path(__file__).parents[1]
ROWS = catalog.rows()
DAY = datetime.date(2026, 1, 2)
FILE = "experiments/convnets/lenet.py"
CLAIM = Claim("mnist", {}, (Expect("test/accuracy", ">=", 0.9),), "91 % (Somebody 1998)")
MEASURED = Measured(FILE, "mnist", {"test/accuracy": [0.91, 0.93]}, [0, 1], "abc", DAY, 9, "1 core")
ROW = Row(FILE, CLAIM, False, MEASURED)


@pytest.fixture(scope="module")
def checker():
    folder = ROOT / "benchmarks"
    spec = importlib.util.spec_from_file_location("check_ledger", folder / "check_ledger.py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(folder))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    return module


@pytest.mark.parametrize("row", [r for r in ROWS if r.measured], ids=lambda row: row.name)
def test_a_measured_claim_holds(row):
    found = row.measured
    assert row.holds
    assert found.values.keys() == {expect.metric for expect in row.claim.expect}
    for metric, values in found.values.items():
        assert len(values) == len(found.seeds), metric
    assert found.commit and found.profile and found.hardware and found.seconds > 0
    assert isinstance(found.date, datetime.date)


def test_the_ledger_is_about_claims_that_there_are(checker):
    known = {(row.file, row.claim.name) for row in ROWS}
    ledger = catalog.ledger()
    assert {row[:2] for row in ledger.measured} <= known
    assert {row.architecture for row in ledger.parity} <= {a.name for a in catalog.architectures()}
    for row in ledger.parity:
        assert row.test.startswith("pytest tests/") and row.commit
        assert (ROOT / row.test.split()[1]).is_file()
    assert checker.written(ledger) == checker.LEDGER.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "values, published, level",
    [
        ([0.91, 0.93], "91 %", 4),
        ([0.91, 0.93], "", 2),
        ([0.85, 0.93], "91 %", 1),  # the mean, 0.89, misses 0.9
        ([math.nan], "91 %", 1),
        ([], "91 %", 1),
    ],
)
def test_the_level_of_a_claim(values, published, level):
    measured = MEASURED._replace(values={"test/accuracy": values})
    assert replace(ROW, claim=replace(CLAIM, published=published), measured=measured).level == level


def test_a_claim_that_expects_nothing_or_was_not_measured_gives_no_level():
    assert replace(ROW, measured=None).level == 1
    assert replace(ROW, claim=replace(CLAIM, expect=())).level == 1


def test_mean_and_deviation_over_seeds():
    assert MEASURED.mean("test/accuracy") == pytest.approx(0.92, abs=1e-12)  # float64 sums
    # Two values 0.02 apart: the deviation is 0.02 / sqrt(2).
    assert MEASURED.deviation("test/accuracy") == pytest.approx(0.0141421356, abs=1e-9)
    one = MEASURED._replace(values={"test/accuracy": [0.9]}, seeds=[0])
    assert one.deviation("test/accuracy") is None
    assert listing.measured(ROW) == "test/accuracy 0.9200 ± 0.014 (2 seeds)"
    assert listing.measured(replace(ROW, measured=one)) == "test/accuracy 0.9000"
    assert listing.measured(replace(ROW, measured=None)) == ""


SWEPT = replace(CLAIM, sweep="--seed 0:10")


@pytest.mark.parametrize(
    "row, given, command",
    [
        (ROW, {}, f"dljax sweep {FILE} --claim mnist --seed 0:2 --apart"),
        (ROW, {"seeds": [3, 5]}, f"dljax sweep {FILE} --claim mnist --seed 3,5 --apart"),
        (ROW, {"seeds": [0]}, f"dljax train {FILE} --claim mnist"),
        (ROW, {"seeds": [7]}, f"dljax train {FILE} --claim mnist --seed 7"),
        (replace(ROW, measured=None), {}, f"dljax train {FILE} --claim mnist"),
        (replace(ROW, default=True, measured=None), {}, f"dljax train {FILE}"),
        (replace(ROW, claim=SWEPT), {}, f"dljax sweep {FILE} --claim mnist"),
        (
            replace(ROW, measured=MEASURED._replace(seeds=[0], data="cora")),
            {},
            f"dljax train {FILE} --claim mnist --data $DLJAX_DATA/cora",
        ),
        (
            replace(ROW, measured=None),
            {"data": "mine"},
            f"dljax train {FILE} --claim mnist --data $DLJAX_DATA/mine",
        ),
    ],
)
def test_the_command_of_a_claim(row, given, command):
    assert row.command(**given) == command


def test_a_model_may_publish_no_count_and_have_no_claim(tmp_path, monkeypatch):
    (tmp_path / "models" / "rules").mkdir(parents=True)
    (tmp_path / "ledger.toml").touch()
    (tmp_path / "models" / "rules" / "hopfield.py").write_text(
        '"""Hopfield 1982."""\nMODEL = object\nVARIANTS = {"tiny": {}}\n'
        'GRADIENT_FREE = "it sets its weights at once"\n'
    )
    monkeypatch.setattr(catalog, "_PACKAGE", tmp_path)
    monkeypatch.chdir(tmp_path)
    (found,) = catalog.architectures()
    assert (found.name, found.published, found.level, found.claims) == ("hopfield", {}, 1, ())
    assert found.gradient_free == "it sets its weights at once"
    assert "| hopfield | rules |  |  | 1 |" in listing.markdown()


def test_a_file_whose_claims_are_wrong_is_listed_without_them(tmp_path, monkeypatch):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "mine.py").write_text(
        "from dljax.models.convnets import lenet\n"
        "CLAIMS = {'digits': {'expect': 'nonsense'}}\n"
        "def experiment(*, seed: int = 0): ...\n"
    )
    monkeypatch.chdir(tmp_path)
    assert catalog.rows() == []
    lenet = next(found for found in catalog.architectures() if found.name == "lenet")
    assert [path.name for path in lenet.experiments] == ["mine.py"]


def test_the_tables_of_the_readme():
    """Written by ``python benchmarks/check_ledger.py readme``; made without jax."""
    program = (
        "import sys; from dljax.cli import listing; print(listing.markdown()); "
        "assert not {'jax', 'numpy'} & set(sys.modules)"
    )
    made = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=60
    )
    assert not made.returncode, made.stderr
    _, begin, rest = (ROOT / "README.md").read_text(encoding="utf-8").partition(listing.BEGIN)
    shown, end, _ = rest.partition(listing.END)
    assert begin and end and shown.strip() == made.stdout.strip()


def test_the_ledger_that_is_written_is_the_ledger_that_is_read(checker, tmp_path):
    told = 'a "quoted" name, ± and \\'
    row = MEASURED._replace(hardware=told, data="cora", values={"test/loss": [1.5, 2.0]})
    parity = Parity("lenet", "pytest tests/test_parity.py -k 'a b'", "abc", DAY)
    path = tmp_path / "ledger.toml"
    path.write_text(checker.written(Ledger([row], [parity])), encoding="utf-8")
    assert catalog.ledger(path) == Ledger([row], [parity])
    assert 'values = { "test/loss" = [1.5, 2.0] }' in path.read_text(encoding="utf-8")


def test_the_words_of_a_command(checker, monkeypatch):
    monkeypatch.setenv("DLJAX_DATA", "/some where")
    words = checker.argv("dljax train file.py --data $DLJAX_DATA/cora", "--on", "cpu")
    assert words[0] == sys.executable
    assert words[1:] == "-m|dljax|train|file.py|--data|/some where/cora|--on|cpu".split("|")
    monkeypatch.delenv("DLJAX_DATA")
    with pytest.raises(ValueError, match="set this variable"):
        checker.argv("dljax train file.py --data $DLJAX_DATA/cora")
    assert checker.seeds("0:3") == [0, 1, 2] and checker.seeds("4,2") == [4, 2]
    with pytest.raises(ValueError):
        checker.seeds("some")


def test_results_of_a_run_and_of_a_sweep(checker, tmp_path):
    (tmp_path / "result.json").write_text(json.dumps({"metrics": {"m": 0.8, "n": [0.9, 1.0]}}))
    assert checker.results(tmp_path) == {"m": [0.8], "n": [0.9, 1.0]}
    swept = [{"metrics": {"m": {"mean": 0.5, "values": [0.4, 0.6]}}}]
    (tmp_path / "sweep.json").write_text(json.dumps(swept))
    assert checker.results(tmp_path) == {"m": [0.4, 0.6]}


def test_a_claim_is_held_to_its_file_and_to_the_ledger(checker):
    def judged(*values, row=ROW):
        return checker.judge(row, MEASURED._replace(values={"test/accuracy": list(values)}))

    # The ledger has 0.92 +- 0.014; the file expects 0.9.
    assert judged(0.91, 0.92).holds and judged(0.91).value == 0.91
    assert not judged(0.94).holds and "spread" in judged(0.94).why
    assert not judged(0.89, 0.90).holds and judged(0.89).why == "not test/accuracy >= 0.9"
    assert judged(0.94, row=replace(ROW, measured=None)).holds
    fresh = MEASURED._replace(values={"test/accuracy": [0.94]})
    assert checker.judge(ROW, fresh, again=False) == (0.94, True, "+0.02 from the ledger's")
    assert not judged(math.nan).holds
    assert not checker.judge(ROW, "ended with status 1").holds


def test_claims_are_found_by_name(checker):
    def names(*given):
        return [
            row.name if isinstance(row, Row) else f"{row.architecture}="
            for row in checker.chosen(given)
        ]

    assert names("lenet:mnist") == ["lenet:mnist"]
    assert names("lenet:mnist", FILE)[0] == "lenet:mnist"
    assert set(names(FILE)) == {"lenet:digits", "lenet:mnist", "lenet:fashion"}
    # The architecture of that name is another file's too.
    judged = {row.name for row in ROWS if "judge" in read_knobs(ROOT / row.file).knobs}
    assert set(names("lenet")) == {*names(FILE), "lenet_adversarial:digits", "lenet=", *judged}
    assert {"unet_collages:collages", "unet_isbi:isbi"} == set(names("unet"))
    assert (
        names("gpt:parity") == ["gpt="] and "gpt=" in names("gpt") and "resnet=" in names("resnet")
    )
    measured = {row.name for row in ROWS if row.measured}
    assert {name for name in names("all") if "=" not in name} == measured


@pytest.mark.parametrize(
    "words, said",
    [
        (["check"], "all"),
        (["check", "--out", "out.json"], "all"),
        (["check", "lenet:digit"], "no claim about 'lenet:digit'"),
        (["measure", "nobody"], "no claim about 'nobody'"),
        (["measure", "lenet", "--seeds", "some"], "seeds"),
        ([], "action"),
    ],
)
def test_a_check_of_nothing_is_no_success(checker, words, said, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["check_ledger.py", *words])
    try:
        status = checker.main()
    except SystemExit as ended:
        status = ended.code
    assert status == 2 and said in capsys.readouterr().err


def test_measuring_writes_the_row(checker, tmp_path, monkeypatch, capsys):
    path = tmp_path / "ledger.toml"
    path.write_text(checker.written(catalog.ledger()), encoding="utf-8")
    monkeypatch.setattr(checker, "LEDGER", path)
    now = Measured(
        FILE, "digits", {"test/accuracy": [0.5]}, [0], "fresh", DAY, 3, "1 core", "cpu", ""
    )
    monkeypatch.setattr(checker, "run", lambda row, options, workdir: now)
    monkeypatch.setattr(sys, "argv", ["check_ledger.py", "measure", "lenet:digits"])
    monkeypatch.setattr(checker, "changed", lambda: " M dljax/axes.py")
    assert checker.main() == 2 and "commit it" in capsys.readouterr().err
    assert catalog.ledger(path) == catalog.ledger()
    monkeypatch.setattr(checker, "changed", lambda: "")
    assert checker.main() == 1  # half of them right is less than is expected
    assert "DOES NOT HOLD" in capsys.readouterr().out
    before, after = catalog.ledger().measured, catalog.ledger(path).measured
    assert now in after and len(after) == len(before)
    assert [row for row in after if row != now] == [row for row in before if row[:2] != now[:2]]


def test_what_differs_from_the_last_commit(checker, tmp_path, monkeypatch):
    monkeypatch.setattr(checker, "ROOT", tmp_path)
    for name in ("dljax/ledger.toml", "dljax/axes.py", "experiments/mine.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1\n")
    checker.git("init", "-q")
    checker.git("add", ".")
    checker.git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one")
    assert len(checker.commit()) == 12
    (tmp_path / "dljax" / "ledger.toml").write_text("2\n")
    (tmp_path / "README.md").write_text("2\n")
    assert checker.changed() == ""
    (tmp_path / "experiments" / "mine.py").write_text("2\n")
    assert checker.changed().split() == ["M", "experiments/mine.py"]


def test_a_claim_is_trained_by_its_command(checker, tmp_path, monkeypatch):
    """The command line, the folder and the row, with a program that trains nothing."""
    asked = []

    def call(command, cwd):
        asked.append(command)
        (tmp_path / "run").mkdir(exist_ok=True)
        metrics = {
            "test/accuracy": {"values": [0.95, 0.9700004]},
            "test/loss": {"values": [0.1, 0.2]},
        }
        (tmp_path / "run" / "sweep.json").write_text(json.dumps([{"metrics": metrics}]))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(checker.subprocess, "run", call)
    monkeypatch.setattr(checker, "commit", lambda: "fresh")
    options = type("Options", (), {"seeds": None, "data": "", "on": "cpu"})
    found = checker.run(ROW, options, tmp_path / "run")
    (command,) = asked
    assert command[1:3] == ["-m", "dljax"]
    assert command[3:] == ["sweep", FILE, "--claim", "mnist", "--seed", "0:2", "--apart",
                           "--on", "cpu", "--workdir", str(tmp_path / "run")]  # fmt: skip
    assert found.values == {"test/accuracy": [0.95, 0.97]} and found.seeds == [0, 1]
    assert (found.commit, found.profile, found.data) == ("fresh", "cpu", "")
    options.seeds = [0]
    swept = checker.run(replace(ROW, claim=SWEPT), options, tmp_path / "run")
    assert swept == "it is about --seed 0:10: leave out --seeds" and len(asked) == 1
    options.seeds = None
    missing = replace(ROW, claim=replace(CLAIM, expect=(Expect("look/energy", "<=", 1.0),)))
    assert checker.run(missing, options, tmp_path / "run") == "not measured: look/energy"
