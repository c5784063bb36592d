"""Claims: rows of knobs and bounds, read from a file's text; and the answers to mistyped ones."""

import pytest

from dljax.claims import Expect
from dljax.cli.launch import main as launch
from dljax.cli.main import main
from dljax.cli.parsing import Parser, parse_with_knobs
from dljax.cli.sweep import _grid
from dljax.errors import UserError
from dljax.knobs import Knobs, read_knobs

CLAIMS = """
    "digits": {"expect": "test/accuracy >= 0.98"},
    "mnist": {
        "dataset": "mnist", "epochs": 5, "batch-size": 128,
        "expect": ["test/accuracy>=99e-2", "test/loss <= 1"],
        "published": "0.95 % error",
        "sweep": "--seed 0:3 --lr=0.1,0.2",
    },
    "later": {"lr": 1},
"""
FILE = """
from typing import Literal
CLAIMS = {%s}
def experiment(
    *,
    dataset: Literal["digits", "mnist"] = "digits",
    epochs: float = 40,
    batch_size: int = 64,
    lr: float | None = None,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
): ...
"""


@pytest.fixture
def written(tmp_path):
    def write(claims: str = CLAIMS, file: str = FILE) -> Knobs:
        (tmp_path / "own.py").write_text(file % claims if "%s" in file else file)
        return read_knobs(tmp_path / "own.py")

    return write


def test_rows_are_read(written):
    digits, mnist, later = written().claims.values()
    assert digits.expect == (Expect("test/accuracy", ">=", 0.98),)
    assert not digits.knobs and not digits.published and not digits.sweep
    assert mnist.knobs == {"dataset": "mnist", "epochs": 5.0, "batch_size": 128}
    assert isinstance(mnist.knobs["epochs"], float)
    assert mnist.expect == (Expect("test/accuracy", ">=", 0.99), Expect("test/loss", "<=", 1.0))
    assert [str(e) for e in mnist.expect] == ["test/accuracy >= 0.99", "test/loss <= 1"]
    assert mnist.published == "0.95 % error"
    assert mnist.swept == {"seed": "0:3", "lr": "0.1,0.2"}
    assert later.expect == ()


@pytest.mark.parametrize(
    "sign, value, holds",
    [(">=", 0.5, True), (">=", 0.49, False), ("<=", 0.5, True), ("<=", 0.51, False)]
    + [(">=", float("nan"), False), ("<=", float("nan"), False)],
)
def test_a_bound_holds(sign, value, holds):
    assert Expect("loss", sign, 0.5).holds(value) == holds


def test_knobs_come_from_the_row_and_what_is_given_comes_first(written):
    knobs = written()
    plain = {"dataset": "digits", "epochs": 40, "batch_size": 64, "lr": None}
    apart = {"data": "", "seed": 0, "fake": False}
    assert knobs.resolve({}) == plain | apart
    mnist = {"dataset": "mnist", "epochs": 5, "batch_size": 128, "lr": None}
    assert knobs.resolve({}, "mnist") == mnist | apart
    assert knobs.resolve({"epochs": "7", "batch-size": 8}, "mnist") == (
        mnist | apart | {"epochs": 7, "batch_size": 8}
    )
    # The first row speaks where none is named.
    first = written('"quick": {"epochs": 2}, "long": {}')
    assert first.resolve({})["epochs"] == 2
    assert first.resolve({}, "long")["epochs"] == 40


def test_a_claim_is_made_of_its_own_knobs_only(written):
    knobs = written()
    for given, claim in (
        ({}, "digits"),
        ({"seed": 3, "data": "/data"}, "digits"),
        ({"fake": True}, None),
        ({"epochs": 41}, None),
        ({"dataset": "mnist", "epochs": 5, "batch_size": 128}, "mnist"),
        ({"dataset": "mnist", "epochs": 5}, None),
    ):
        found = knobs.claimed(knobs.resolve(given))
        assert (found and found.name) == claim, given
    assert knobs.claimed(knobs.resolve({}), "mnist") is None
    assert knobs.claimed(knobs.resolve({}, "mnist"), "mnist") == knobs.claims["mnist"]


@pytest.mark.parametrize(
    "annotation", ["Annotated[float, '> 0, <= 1e0'] | None", "Annotated[float | None, '> 0, <= 1']"]
)
def test_bounds_in_a_signature(written, annotation):
    """They stand before what the name means elsewhere: a seed may be negative here."""
    text = f"def experiment(*, a: {annotation} = 0.5, seed: Annotated[int, '>= -3'] = 0): ..."
    knobs = written(file=text)
    assert knobs.resolve({"a": "1", "seed": "-3"}) == {"a": 1.0, "seed": -3}
    assert knobs.resolve({"a": "none"})["a"] is None
    for name, word, told in (
        ("a", "0", "--a 0: expected float above 0 and at most 1 | none"),
        ("a", "1.1", "--a 1.1: expected float above 0 and at most 1 | none"),
        ("seed", "-4", "--seed -4: expected int at least -3"),
    ):
        with pytest.raises(UserError) as caught:
            knobs.resolve({name: word})
        assert str(caught.value) == told


def test_a_file_without_claims_is_as_before(written):
    knobs = written(file=FILE.replace("CLAIMS = {%s}\n", ""))
    assert knobs.claims == {} and knobs.claimed(knobs.resolve({})) is None
    assert knobs.resolve({"epochs": 3})["epochs"] == 3
    with pytest.raises(UserError, match="own.py has no claim 'mnist': known: none"):
        knobs.resolve({}, "mnist")


FORM = "CLAIMS must be a literal dict"


@pytest.mark.parametrize(
    "claims, told",
    [
        ('"a": {"epoch": 3}', "claim 'a': own.py has no knob --epoch: did you mean 'epochs'"),
        ('"a": {"expected": "x >= 1"}', "claim 'a': own.py has no knob --expected"),
        ('"a": {"epochs": "many"}', "claim 'a': --epochs many: expected float above 0"),
        ('"a": {"dataset": "mnits"}', "--dataset mnits: did you mean 'mnist'"),
        ('"a": {"lr": float("inf")}', FORM),
        ('"a": {"lr": 1e999}', "--lr inf: expected float"),
        ('"a": {3: 4}', "no knob --3"),
        ('"a": {"seed": 1}', "cannot set --seed"),
        ('"a": {"data": "/home/me"}', "cannot set --data"),
        ('"a": {"fake": True}', "cannot set --fake"),
        ('"a": {"expect": "test/accuracy > 0.9"}', "expected METRIC >= NUMBER or <="),
        ('"a": {"expect": "test/accuracy >= good"}', "expected METRIC >= NUMBER or <="),
        ('"a": {"expect": "test/accuracy >= nan"}', "expected METRIC >= NUMBER or <="),
        ('"a": {"expect": "accuracy of test >= 1"}', "expected METRIC >= NUMBER or <="),
        ('"a": {"expect": 0.9}', "expect 0.9: expected METRIC >= NUMBER or <="),
        ('"a": {"expect": ["x >= 1", 2]}', "expect 2: expected METRIC"),
        ('"a": {"expect": ["x >= 1", "x <= 2"]}', "one metric is expected twice"),
        ('"a": {"published": 0.9}', "published 0.9: expected a string"),
        ('"a": {"sweep": "0:10"}', "sweep '0:10': expected --knob values"),
        ('"a": {"sweep": "--sed 0:10"}', "no knob --sed: did you mean 'seed'"),
        ('"a": {"sweep": "--seed"}', "sweep '--seed': expected --knob values"),
        ('"a": {"sweep": ["--seed"]}', "sweep ['--seed']: expected a string"),
        ('"a b": {}', "claim 'a b': expected a name of letters"),
        ('"-a": {}', "claim '-a': expected a name"),
        ("3: {}", "claim 3: expected a name"),
        ('"a": 3', FORM),
        ("", FORM),
        ('**{"a": {}}', FORM),
        ('"a": {}, "a": {}', FORM),
        ('"a": {"epochs": 3, "epochs": 4}', FORM),
        ('"a": {"epochs": 3 * 4}', FORM),
        ('"a": {"epochs": 40}, "b": {"lr": None}', "claims 'a' and 'b' set equal knobs"),
    ],
)
def test_wrong_rows(written, claims, told):
    with pytest.raises(UserError) as caught:
        written(claims)
    assert told in str(caught.value) and "\n" not in str(caught.value)
    assert str(caught.value).startswith("own.py: ")


@pytest.mark.parametrize(
    "file, told",
    [
        ("CLAIMS = [1]\ndef experiment(): ...", FORM),
        ("CLAIMS = dict(a={})\ndef experiment(): ...", FORM),
        ("CLAIMS = {'a': {}}\nCLAIMS |= {'b': {}}\ndef experiment(): ...", FORM),
        ("if True:\n    CLAIMS = {'a': {}}\ndef experiment(): ...", FORM),
        ("def experiment(*, claim: int = 1): ...", "'claim' is a word of claims"),
        ("CLAIMS = {'a': {}}\ndef experiment(*, sweep: int = 1): ...", "'sweep' is a word"),
    ],
)
def test_wrong_files(written, file, told):
    with pytest.raises(UserError, match=told):
        written(file=file)


def test_a_typed_dict_is_read_and_a_file_without_rows_may_name_a_knob_sweep(written):
    typed = "CLAIMS: dict = {'a': {'expect': ('x >= 1',)}}\ndef experiment(): ..."
    assert written(file=typed).claims["a"].expect == (Expect("x", ">=", 1.0),)
    assert "sweep" in written(file="def experiment(*, sweep: int = 1): ...").knobs


def test_the_option(written, tmp_path, capsys):
    written()
    file = str(tmp_path / "own.py")

    def parse(*words: str):
        return parse_with_knobs(Parser("train", "", ""), [file, *words])

    assert parse()[0].claim is None
    options, _, knobs, words = parse("--claim", "mnist", "--epochs=2")
    assert options.claim == "mnist" and words == {"epochs": "2"}
    assert knobs.resolve(words, options.claim)["batch_size"] == 128
    with pytest.raises(UserError, match="no claim 'mnits': did you mean 'mnist'"):
        parse("--claim", "mnits")
    assert main(["train", file, "--help"]) == 0
    told = capsys.readouterr().out
    assert "claims of own.py" in told and "digits  test/accuracy >= 0.98" in told
    assert (
        "mnist   --dataset mnist --epochs 5.0 --batch_size 128; test/accuracy >= 0.99; "
        "test/loss <= 1; published: 0.95 % error; dljax sweep --seed 0:3 --lr=0.1,0.2"
    ) in told


def test_a_sweep_takes_the_row_and_its_own_values(written):
    knobs = written()
    assert _grid(knobs, "mnist", {"data": "/data"}) == {
        **{"dataset": ["mnist"], "epochs": [5.0], "batch_size": [128]},
        **{"data": ["/data"], "seed": [0, 1, 2], "lr": [0.1, 0.2]},
    }
    assert _grid(knobs, None, {"epochs": "1,2"}) == {"epochs": [1.0, 2.0]}
    assert _grid(knobs, "mnist", {"lr": "3"})["lr"] == [3.0]


def test_a_launch_passes_it_on(written, tmp_path, monkeypatch):
    written()
    seen = []
    monkeypatch.setattr("dljax.runtime.launch.launch", lambda command, n: seen.append(command) or 0)
    assert launch([str(tmp_path / "own.py"), "--claim", "mnist", "--lr", "1"]) == 0
    assert seen[0][-2:] == ["--lr=1", "--claim=mnist"]
