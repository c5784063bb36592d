"""The command line: the output of each command, and modules that it must not load."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from alone import environment
from PIL import Image

from dljax.cli.main import COMMANDS, main
from dljax.cli.sweep import values
from dljax.knobs import read_knobs

ROOT = Path(__file__).parents[1]
SMOOTH = str(Path(__file__).parent / "smooth_digits.py")
LENET = str(ROOT / "experiments" / "convnets" / "lenet.py")


@pytest.fixture
def dljax(tmp_path, monkeypatch, capsys):
    """Run a command line in an empty folder that must succeed; its output."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> str:
        capsys.readouterr()
        status = main(list(words))
        out, err = capsys.readouterr()
        assert status == 0, err
        return out

    return run


# Blocks what must not be needed, the network too, and runs command lines.
_DRIVER = """
import importlib.machinery, json, socket, sys

class Blocked:  # found, so that whoever only asks is told yes; not to be had
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "torch", "keras", *sys.argv[2:]):
            return importlib.machinery.ModuleSpec(name, self)

    def create_module(self, spec):
        raise ImportError(f"{spec.name} is blocked")

    def exec_module(self, module):
        raise AssertionError

def refuse(*args, **kwargs):
    raise OSError("no network in this test")

sys.meta_path.insert(0, Blocked())
socket.socket.connect = refuse
from dljax.cli.main import main
print(json.dumps([main(words) for words in json.loads(sys.argv[1])]))
"""


def _drive(
    lines: list[list[str]], *blocked: str, cwd: Path, then: str = ""
) -> tuple[list[int], str]:
    done = subprocess.run(
        [sys.executable, "-c", _DRIVER + then, json.dumps(lines), *blocked],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stdout + done.stderr


def test_help_list_and_a_mistyped_knob_need_no_jax(tmp_path):
    lines = [
        ["--help"],
        *([name, "--help"] for name in COMMANDS),
        ["train", LENET, "--help"],
        ["list"],
        ["list", "--json"],
    ]
    wrong = [["train", LENET, "--ltr", "1"], ["sweep", LENET, "--ltr", "1"]]
    wrong += [["train", LENET, "--lr", "0"], ["train", LENET, "--on", "cpv"]]
    heavy = ("jax", "flax", "optax", "numpy", "rich", "orbax")
    codes, _ = _drive(lines + wrong, *heavy, cwd=tmp_path)
    assert codes == [0] * len(lines) + [2] * len(wrong)


def test_training_needs_no_tensorflow_torch_or_network(tmp_path):
    line = ["train", LENET, "--fake", "--variant", "tiny", "--epochs", "0.2", "--workdir", "run"]
    codes, told = _drive([line], cwd=tmp_path, then="import tensorflow_datasets")
    assert codes == [0], told
    assert (tmp_path / "run" / "result.json").is_file()


def test_every_command_shows_examples(dljax):
    for name in COMMANDS:
        assert f"    dljax {name}" in dljax(name, "--help")
        assert f"  {name} " in dljax("--help")


def test_help_of_a_file_shows_its_docstring_and_knobs(dljax):
    told = dljax("train", SMOOTH, "--help")
    assert "A smooth net with plain SGD" in told
    assert "--lr LR" in told and "float above 0, default 0.1" in told
    assert "--on PROFILE" in told


def test_list_as_json(dljax):
    rows = json.loads(dljax("list", "--json"))
    lenet = next(row for row in rows if row["name"] == "lenet")
    assert set(lenet) == {
        *("name", "family", "paper", "level", "variants", "experiments", "claims")
    }
    assert lenet["family"] == "convnets" and lenet["paper"].startswith("LeNet-5. LeCun et al.")
    assert lenet["variants"]["5"] == {"params": 61_706, "state": None}
    assert lenet["variants"]["tiny"] == {"params": None, "state": None}
    assert any(path.endswith("experiments/convnets/lenet.py") for path in lenet["experiments"])
    claim = next(row for row in lenet["claims"] if row["name"] == "lenet:mnist")
    assert claim["published"].startswith("0.95 % error")
    assert "experiments/convnets/lenet.py --claim mnist" in claim["command"]


@pytest.mark.parametrize(
    "text", [b"def experiment(", b"\xff", b"a\0b", None], ids=["cut", "bytes", "null", "no file"]
)
def test_an_experiment_that_is_no_python_is_left_out(dljax, tmp_path, text):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "mine.py").write_text("from dljax.models.convnets import lenet")
    broken = tmp_path / "experiments" / "broken.py"
    broken.write_bytes(text) if text else broken.symlink_to("nowhere")
    rows = json.loads(dljax("list", "--json"))
    lenet = next(row for row in rows if row["name"] == "lenet")
    assert lenet["experiments"] == ["experiments/mine.py"]
    assert "61,706" in dljax("describe", "lenet")


def test_list_counts_what_is_built(dljax, monkeypatch):
    from dljax import catalog

    few = [a for a in catalog.architectures() if a.name in ("lenet", "dcgan")]
    # A wrong published number must not show: counts are counted.
    monkeypatch.setitem(next(a for a in few if a.name == "lenet").published, "5", 1)
    monkeypatch.setattr(catalog, "architectures", lambda: few)
    rows = {row["name"]: row["variants"] for row in json.loads(dljax("list", "--json", "--counts"))}
    assert rows["lenet"]["5"] == {"params": 61_706, "state": 0}
    # Batch norms of 256 + 128 + 64 + ... channels: a mean and a variance each.
    if "dcgan" in rows:
        assert rows["dcgan"]["64"]["state"] == 3_712


def test_describe_a_model(dljax):
    found = json.loads(dljax("describe", "lenet:5", "--json"))
    assert (found["params"], found["state"]) == (61_706, 0)
    rows = [(row["path"], row["kind"], row["shape"], row["params"]) for row in found["layers"]]
    assert rows == [
        ("", "LeNet5", [10], 61_706),
        ("c1", "Conv", [28, 28, 6], 156),
        ("-", "reduce_window_max", [14, 14, 6], 0),
        ("c3", "Conv", [10, 10, 16], 2_416),
        ("-", "reduce_window_max", [5, 5, 16], 0),
        ("-", "reshape", [400], 0),
        ("c5", "Dense", [120], 48_120),
        ("f6", "Dense", [84], 10_164),
        ("output", "Dense", [10], 850),
    ]
    assert "28x28x6" in dljax("describe", "lenet")


def test_describe_an_experiment(dljax):
    told = dljax("describe", SMOOTH, "--width", "32")
    # 28x28 pixels to 32 to 10 classes
    assert f"{784 * 32 + 32 + 32 * 10 + 10:,} trainable parameters" in told


def test_plan_counts_a_step(dljax):
    found = json.loads(dljax("plan", SMOOTH, "--json"))
    (phase,) = found["phases"]
    parameters = 784 * 16 + 16 + 16 * 10 + 10
    assert phase["parameters"] == parameters
    assert phase["bytes_per_device"]["params"] == 4 * parameters
    # Both layers forward and their weights' gradients, and the second layer's input gradient; the
    # sum of squares in the gradient's norm.
    products = 2 * 32 * (2 * 784 * 16 + 3 * 16 * 10)
    assert phase["flops_per_step"] == products + 2 * parameters
    # 32 images of 28x28 floats and 32 labels, divided over the 8 devices of the tests
    assert found["devices"] == 8
    assert phase["bytes_per_device"]["batch"] == 32 * (784 + 1) * 4 // 8
    assert phase["bytes_per_device"]["total"] >= sum(
        phase["bytes_per_device"][k] for k in ("params", "optimizer", "batch")
    )


def test_plan_for_the_one_device_that_is_here(tmp_path):
    command = [sys.executable, "-m", "dljax", "plan", SMOOTH, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    phase = json.loads(done.stdout)["phases"][0]
    sizes = phase["bytes_per_device"]
    assert sizes["params"] == 4 * phase["parameters"]
    assert sizes["batch"] == phase["batch"] * 4 * (784 + 1), "28 x 28 pixels, a label"


def test_plan_for_devices_that_are_not_here(tmp_path):
    command = [sys.executable, "-m", "dljax", "plan", SMOOTH, "--width", "1024", "--json"]
    command += ["--on", str(ROOT / "configs" / "tpu_v5e_8.toml")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["devices"] == 8 and found["stand_ins"]
    assert "8 tpu devices" in found["layout"]
    assert any("CPU compilation" in note for note in found["notes"])
    # Sharded over fsdp = 8, but for the ten biases of the output.
    whole = 4 * (784 * 1024 + 1024 + 1024 * 10)
    assert found["phases"][0]["bytes_per_device"]["params"] == whole // 8 + 4 * 10


def test_train_eval_sample(dljax, tmp_path):
    told = dljax("train", SMOOTH, "--workdir", "run", "--steps", "12")
    assert "met: test/accuracy" in told
    again = dljax("train", SMOOTH, "--workdir", "run", "--steps", "12")
    assert "has finished" in again and "met: test/accuracy" in again

    before = json.loads((tmp_path / "run" / "result.json").read_text())["metrics"]
    for words in (("run",), ("run", "--best"), (SMOOTH, "--workdir", "run", "--steps", "12")):
        told = dljax("eval", *words)
        assert "step 12" in told and "met: test/accuracy" in told
        assert f"{before['test/accuracy']:.5g}" in told

    folder = tmp_path / "run" / "samples"
    dljax("sample", "run", "--seed", "3")
    plain = {"noise_0000012_seed3.png", "words_0000012_seed3.txt"}
    assert {f.name for f in folder.iterdir()} == plain
    text = (folder / "words_0000012_seed3.txt").read_text()
    told = dljax("sample", "run", "--prompt", "another", "--seed", "3")
    assert "another of width 16" in told
    # Of other options, another file: nothing that was drawn before is lost.
    more = [f for f in folder.iterdir() if f.name not in plain]
    assert sorted(f.suffix for f in more) == [".png", ".txt"]
    assert (folder / "words_0000012_seed3.txt").read_text() == text
    long = "x" * 300  # longer than a file may be called
    assert f"{long} of width 16" in dljax("sample", "run", "--prompt", long)
    assert f"{long} of width 16" in dljax("sample", "--prompt", long, "run")
    dljax("sample", "run", "--seed", "4", "--out", "elsewhere")
    other = tmp_path / "elsewhere" / "noise_0000012_seed4.png"
    assert other.read_bytes() != (folder / "noise_0000012_seed3.png").read_bytes()
    assert json.loads((tmp_path / "run" / "result.json").read_text())["metrics"] == before


def test_a_run_whose_code_is_gone(dljax, tmp_path, capsys):
    (tmp_path / "mine.py").write_text(Path(SMOOTH).read_text())
    dljax("train", "mine.py", "--workdir", "run", "--steps", "3")
    shutil.rmtree(tmp_path / "run" / "code")
    assert "step 3" in dljax("eval", "run")  # today's is the same
    assert "a digit of width 16" in dljax("sample", "run")
    (tmp_path / "mine.py").write_text(Path(SMOOTH).read_text().replace("jnp.tanh", "jnp.sin"))
    for command in ("eval", "sample", "describe"):
        assert main([command, "run"]) == 2
        err = capsys.readouterr().err
        assert err.startswith("dljax: run/code is gone") and err.count("\n") == 1
        assert dljax(command, "run", "--now")


def test_a_knob_named_seed_of_sample_is_its_own(dljax):
    assert "of what is drawn" in dljax("sample", "--help")


def test_sweep(dljax, tmp_path):
    words = ("sweep", SMOOTH, "--lr", "0.1,0.01", "--seed", "0:3", "--steps", "5")
    told = dljax(*words, "--workdir", "grid")
    assert told.count("3 seeds together in one program") == 2
    rows = json.loads((tmp_path / "grid" / "sweep.json").read_text())
    assert [row["knobs"] for row in rows] == [{"lr": 0.1, "steps": 5}, {"lr": 0.01, "steps": 5}]
    for row in rows:
        found = row["metrics"]["test/loss"]
        assert found["n"] == 3 and len(set(found["values"])) == 3
        assert found["mean"] == pytest.approx(sum(found["values"]) / 3)
        assert f"{found['mean']:.5g} +- {found['std']:.2g} (n = 3)" in told
    assert rows[0]["metrics"]["test/loss"]["mean"] < rows[1]["metrics"]["test/loss"]["mean"]
    assert (tmp_path / "grid" / "sweep.txt").read_text() in told
    with Image.open(tmp_path / "grid" / "sweep.png") as shown:
        assert "grid/sweep.png" in told and shown.getextrema()[0] == (0, 255)
    assert "(n = 3)" in dljax("eval", rows[0]["runs"][0])
    assert "of width 16" in dljax("sample", rows[0]["runs"][0])  # of the first seed


def test_seeds_trained_together_start_as_each_does_alone(dljax, tmp_path):
    dljax("sweep", SMOOTH, "--seed", "5,2", "--steps", "3", "--workdir", "grid")
    (row,) = json.loads((tmp_path / "grid" / "sweep.json").read_text())
    assert row["together"] and row["seeds"] == [5, 2]
    dljax("train", SMOOTH, "--seed", "5", "--steps", "3", "--workdir", "alone")
    alone = json.loads((tmp_path / "alone" / "result.json").read_text())["metrics"]["test/loss"]
    values = row["metrics"]["test/loss"]["values"]
    # The first one's batches are also its own; matrix products of two sum in another order.
    assert values[0] == pytest.approx(alone, rel=1e-5)
    assert values[1] != pytest.approx(alone, rel=1e-3)


def test_sweep_goes_on_apart_where_a_seed_diverges(dljax, tmp_path):
    words = ("sweep", SMOOTH, "--lr", "1e38,0.1", "--seed", "0:2", "--steps", "5")
    told = dljax(*words, "--workdir", "grid")
    wild, tame = json.loads((tmp_path / "grid" / "sweep.json").read_text())
    assert not wild["together"] and len(wild["diverged"]) == 2 and "diverged" in told
    assert tame["together"] and tame["metrics"]["test/loss"]["n"] == 2


def test_no_claim_is_met_by_the_seeds_that_are_left(dljax, tmp_path):
    text = Path(SMOOTH).read_text()
    wild = text.replace("optax.sgd(lr)", "optax.sgd(1e38 if seed == 1 else lr)")
    assert wild != text
    (tmp_path / "wild.py").write_text(wild)
    told = dljax("sweep", "wild.py", "--seed", "0:2", "--claim", "short", "--apart")
    assert "diverged" in told and "NOT MET: claim 'short', test/accuracy >= 0" in told


def test_no_verdict_on_a_run_that_began_from_another(dljax):
    dljax("train", SMOOTH, "--claim", "short", "--workdir", "first")
    words = ("train", SMOOTH, "--claim", "short", "--init", "first", "--workdir", "second")
    for told in (dljax(*words), dljax("eval", "second")):
        assert "no verdict: claim 'short' has another --init" in told and "met:" not in told


def test_sweep_of_seeds_apart(dljax, tmp_path):
    dljax("sweep", SMOOTH, "--seed", "0,4", "--steps", "3", "--apart", "--workdir", "grid")
    (row,) = json.loads((tmp_path / "grid" / "sweep.json").read_text())
    assert not row["together"] and len(row["runs"]) == 2
    # A seed by itself is the run that `dljax train --seed` makes.
    dljax("train", SMOOTH, "--seed", "4", "--steps", "3", "--workdir", "alone")
    alone = json.loads((tmp_path / "alone" / "result.json").read_text())
    assert alone["metrics"]["test/loss"] == row["metrics"]["test/loss"]["values"][1]


def test_values_of_a_sweep():
    knobs = read_knobs(SMOOTH)
    assert values(knobs.find("seed"), "0:3") == [0, 1, 2]
    assert values(knobs.find("seed"), "7,1:3") == [7, 1, 2]
    assert values(knobs.find("lr"), "1e-3,3e-4") == [1e-3, 3e-4]
    assert values(knobs.find("prompt"), "a:b,c") == ["a:b", "c"]


def test_doctor_names_what_is_wrong(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert main(["doctor"]) == 0, capsys.readouterr().out
    assert "nothing is wrong" in capsys.readouterr().out
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "nowhere"))
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert "2 wrong" in told and "fix: set XDG_CACHE_HOME" in told and "TFDS_DATA_DIR" in told


def test_a_run_begun_from_another_goes_on_without_it(dljax, tmp_path):
    """Begun with other parameters, a run of its own; once begun, it needs the other no more."""
    dljax("train", SMOOTH, "--steps", "4", "--workdir", "base")
    words = ("train", SMOOTH, "--steps", "6", "--init", "base", "--workdir", "next")
    assert "no verdict" in dljax(*words)
    shutil.rmtree(tmp_path / "base")
    assert "has finished" in dljax(*words)
    record = json.loads((tmp_path / "next" / "record.json").read_text())
    assert record["knobs"]["--init"] == str(tmp_path / "base")
