"""The ledger's claims, checked without training, and the program that trains to check them
(benchmarks/check_ledger.py).
"""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from dljax import catalog

ROOT = Path(__file__).parents[1]
CLAIMS = catalog.ledger()


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


@pytest.mark.parametrize("claim", CLAIMS, ids=[f"{c['experiment']}-{c['level']}" for c in CLAIMS])
def test_a_claim_is_about_something_and_holds(claim, checker):
    assert claim["architecture"] in {a.name for a in catalog.architectures()}
    assert claim["level"] in (1, 2, 3, 4)
    assert (ROOT / claim["experiment"]).is_file()
    assert claim["command"] and claim["commit"] and claim["date"]
    if "metric" in claim:
        for value in (claim["measured"], *claim.get("repeats", ())):
            assert checker.meets(value, claim["expected"])


def test_bounds(checker):
    assert checker.meets(0.97, ">= 0.97") and not checker.meets(0.969, ">= 0.97")
    assert checker.meets(1.88, "<= 1.9") and not checker.meets(1.91, "<= 1.9")
    with pytest.raises(ValueError, match="NUMBER"):
        checker.bound("0.97")


def test_the_command_of_a_claim(checker, monkeypatch, tmp_path):
    monkeypatch.setenv("DLJAX_DATA", "/some/where")
    words = checker.argv("dljax train file.py --data $DLJAX_DATA/cora", tmp_path)
    assert words[:3] == [sys.executable, "-m", "dljax"]
    assert words[3:] == [
        "train",
        "file.py",
        "--data",
        "/some/where/cora",
        "--workdir",
        str(tmp_path),
    ]
    monkeypatch.delenv("DLJAX_DATA")
    with pytest.raises(ValueError, match="set this variable"):
        checker.argv("dljax train file.py --data $DLJAX_DATA/cora", tmp_path)


def test_results_of_several_runs_and_seeds_are_one_mean(checker, tmp_path):
    for name, value in (("a", 0.8), ("b", [0.9, 1.0])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "result.json").write_text(json.dumps({"metrics": {"m": value}}))
    assert checker.measured(tmp_path, "m") == [0.8, 0.9, 1.0]
    claim = {"metric": "m", "expected": ">= 0.85", "measured": 0.89, "spread": 0.02}
    assert checker.judge(claim, 0, [0.8, 0.9, 1.0]).holds
    assert not checker.judge(claim, 0, [0.92]).holds  # beyond the spread
    assert not checker.judge(claim, 0, [0.84]).holds  # not what was expected
    assert not checker.judge(claim, 1, [0.89]).holds  # the run failed
    assert not checker.judge(claim, 0, []).holds
    assert checker.judge({"command": "pytest"}, 0, []).holds


def test_claims_are_found_by_name(checker):
    claims = [{"architecture": "gcn", "experiment": "experiments/graphs/gcn_cora.py"}]
    for name in ("all", "gcn", "gcn_cora", "experiments/graphs/gcn_cora.py"):
        assert checker.chosen(claims, [name]) == claims
    with pytest.raises(KeyError):
        checker.chosen(claims, ["gat"])


@pytest.mark.parametrize("words", [["check"], ["check", "--out", "out.json"]])
def test_a_check_of_nothing_is_no_success(checker, words, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["check_ledger.py", *words])
    with pytest.raises(SystemExit) as ended:
        checker.main()
    assert ended.value.code == 2 and "all" in capsys.readouterr().err
