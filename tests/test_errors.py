"""Wrong input: one line on stderr that says what to do, status 2, no traceback, nothing lost."""

import errno
import gc
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from alone import environment
from PIL import Image

from dljax.cli.main import COMMANDS, Command, main
from dljax.errors import UserError

ROOT = Path(__file__).parents[1]
SMOOTH = str(Path(__file__).parent / "smooth_digits.py")


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Run a command line in an empty folder that must be refused; the one line."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str, status: int = 2) -> str:
        capsys.readouterr()
        assert main([str(word) for word in words]) == status
        _, err = capsys.readouterr()
        assert err.startswith("dljax: ") and err.count("\n") == 1 and "Traceback" not in err
        return err

    return run


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    "words, told",
    [
        (["tarin"], "did you mean 'train'"),
        (["train"], "name an experiment file"),
        (["train", "nosuch.py"], "no experiment file nosuch.py"),
        (["train", SMOOTH, "--sed", "1"], "no knob --sed: did you mean 'seed'"),
        (["train", SMOOTH, "--workdri=x"], "did you mean 'workdir'"),
        (["train", SMOOTH, "--lr"], "expected one argument"),
        (["train", SMOOTH, "--lr", "fast"], "--lr fast: expected float"),
        (["train", SMOOTH, "--lr", "nan"], "--lr nan: expected float"),
        (["train", SMOOTH, "--lr", "inf"], "--lr inf: expected float above 0"),
        (["train", SMOOTH, "--lr=-1"], "--lr -1: expected float above 0"),
        (["train", SMOOTH, "--batch", "1.5"], "--batch 1.5: expected int"),
        (["train", SMOOTH, "--batch", "0"], "--batch 0: expected int above 0"),
        (["train", SMOOTH, "--batch", "1000000000000"], "expected int above 0 and at most 1048576"),
        (["train", SMOOTH, "--seed", "4294967296"], "expected int at least 0 and below 4294967296"),
        (["train", SMOOTH, "--steps", "9" * 5000], "expected int above 0"),
        (["train", SMOOTH, "--made-up", "maybe"], "--made_up maybe: expected bool"),
        (["train", SMOOTH, "surplus"], "'surplus' is neither a knob nor its value"),
        (["train", SMOOTH, "--on", "cpuu"], "did you mean 'cpu'"),
        (["train", SMOOTH, "--on", "missing.toml"], "no profile missing.toml"),
        (["train", SMOOTH, "--on", "long" * 75], "no profile long"),
        (["train", SMOOTH, "--claim", "digits"], "has no claim 'digits': known: fake, short"),
        (["train", "long" * 75 + ".py"], "no experiment file long"),
        (["launch", "--processes", "0", SMOOTH], "--processes 0"),
        (["launch", "--processes", "two", SMOOTH], "invalid int value: 'two'"),
        (["launch", "--dry-run", SMOOTH], "--dry-run goes with --slurm"),
        (["describe", "lenett"], "did you mean 'lenet'"),
        (["describe", "lenet:six"], "lenet has no variant 'six'"),
        (["sweep", SMOOTH], "nothing to sweep over"),
        (["sweep", SMOOTH, "--seed", "3:3"], "an empty range"),
        (["sweep", SMOOTH, "--seed", "1,1"], "a value occurs twice"),
        (
            ["sweep", SMOOTH, "--seed", "0:10000000000"],
            "--seed 10000000000: expected int at least 0",
        ),
        (["sweep", SMOOTH, "--seed", "0:4000000000"], "4,000,000,000 values; at most 10,000"),
        (["sweep", SMOOTH, "--seed", "0:1000", "--width", "1:100"], "a sweep of 99,000 runs"),
        (["inspect"], "name a run's folder"),
        (["eval", "nowhere"], "nowhere does not exist"),
        (["sample", "."], "holds no run"),
        (["sample", "nowhere"], "nowhere does not exist"),
        (["eval", "long" * 75], "does not exist: name a run's folder"),
        (["sample", "long" * 75], "does not exist: name a run's folder"),
    ],
    ids=lambda x: x if isinstance(x, str) else None,
)
def test_words(refused, words, told):
    assert told in refused(*words)


@pytest.mark.parametrize(
    "text, told",
    [
        ('devise = "cpu"', "unknown key 'devise'; did you mean 'device'"),
        ("[mesh]\nfsdq = 2", "did you mean 'fsdp'"),
        ('device = "abacus"', "expected auto | cpu | gpu | tpu"),
        ('keep = "two"', "expected int, like 2"),
        ("keep = 0", "expected 1 or more"),
        ("device = cpu", "is not TOML"),
        ("[mesh]\ndata = -1\nfsdp = -1", "at most one of them -1"),
        ('[mesh]\ndata = 64\n[launcher]\ntime = "1 day"', "needs 64 devices, there are 8"),
        ("xla_flags = [1, 2]", "xla_flags = [1, 2]: expected a list of strings"),
        ('xla_flags = "--xla_dump_to=x"', "expected a list of strings"),
        ('xla_flags = ["--xla_nonsense=1"]', "Unknown flag in XLA_FLAGS: --xla_nonsense=1"),
        ('xla_flags = ["--xla_cpu_multi_thread_eigen=maybe"]', "Couldn't interpret value maybe"),
        ("host_devices = 1000000", "host_devices = 1000000: expected at most 1024"),
        ('# \udcff\ndevice = "cpu"', "is not TOML"),
        ('host_devices = 3\ndevice = "cpu"', "before jax starts"),
    ],
)
def test_profiles(refused, tmp_path, monkeypatch, text, told):
    monkeypatch.setenv("XLA_FLAGS", os.environ["XLA_FLAGS"])
    (tmp_path / "p.toml").write_text(text, "utf-8", errors="surrogateescape")
    if "host_devices = 3" in text:  # from Python, where jax has started already
        import dljax

        with pytest.raises(Exception, match=told):
            dljax.run(dljax.load(SMOOTH)(), dljax.load_profile("p.toml"), quiet=True)
    else:
        assert told in refused("train", SMOOTH, "--on", "p.toml")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "text, told",
    [
        ("", "defines no function experiment"),
        ("def experiment(", "is not Python (line 1)"),
        ("def experiment(lr=1): pass", "knobs must follow a bare *"),
        ("def experiment(*, lr: float): pass", "has no default"),
        ("def experiment(*, lr: list = []): pass", "annotate it with"),
        (
            "\nimport nosuchmodule\ndef experiment(): pass",
            "own.py:2: ModuleNotFoundError: No module",
        ),
        ("def experiment():\n    return 1 / 0", "own.py:2: ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit('enough')\ndef experiment(): ...", "own.py:2: SystemExit: enough"),
        ("def experiment():\n    raise SystemExit", "own.py:2: SystemExit: no message"),
        ("def experiment(**knobs): ...", "knobs must follow a bare *"),
        ("def experiment(*, a: int = {[]: 1}): ...", "its default must be a literal"),
        ("def experiment(*, a: Literal[A] = 1): ...", "must list its words themselves"),
        ("def experiment(*, a: Literal[()] = 1): ...", "must list words of one type"),
        ("def experiment(*, a: Literal[['b']] = 'b'): ...", "must list words of one type"),
        ("def experiment(*, a: Literal[None] = None): ...", "must list words of one type"),
        ("def experiment(*, a: Literal['b', 1] = 1): ...", "must list words of one type"),
        ("def experiment(*, a: Literal['b', 'c'] = 'd'): ...", "its default 'd' is wrong"),
        ("def experiment(*, a: int | float = 1): ...", "annotate it with int, float, str, bool or"),
        ("def experiment(*, a: None = None): ...", "annotate it with int, float, str, bool or"),
        ("def experiment(*, a: Annotated[int, 'big'] = 1): ...", "takes bounds, such as"),
        ("def experiment(*, a: Annotated[int] = 1): ...", "annotate it with"),
        ("def experiment(*, a: Annotated[int, '>= 2'] = 1): ...", "expected int at least 2"),
        ("def experiment(*, temperature: float = -1): ...", "expected float at least 0"),
        ("def experiment(*, a: float = 1e999): ...", "its default inf is wrong: expected float"),
        ("def experiment():\n    return 3", "experiment() returned int, expected an Experiment"),
        (
            "from dljax import Experiment\ndef experiment():\n    return Experiment()",
            "an Experiment takes one Phase or more",
        ),
    ],
)
def test_files_that_are_no_experiment(refused, tmp_path, text, told):
    (tmp_path / "own.py").write_text(text)
    assert told in refused("train", "own.py")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "raised, told",
    [
        (SystemExit("enough"), "called sys.exit('enough')"),
        (SystemExit(0), "called sys.exit(0)"),
        (MemoryError("Unable to allocate 3 TiB"), "out of memory (Unable to allocate 3 TiB)"),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory while\ntrying"), "a smaller --batch"),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
    ],
    ids=lambda x: type(x).__name__,
)
def test_what_ends_a_command_midway(refused, monkeypatch, raised, told):
    def end(argv):
        raise raised

    monkeypatch.setitem(COMMANDS, "list", Command(end, ""))
    assert told in refused("list")


def test_more_devices_than_can_be_laid_out(refused, tmp_path):
    (tmp_path / "p.toml").write_text("[mesh]\ndata = 1000\nfsdp = 1000")
    assert "a mesh of 1,000,000 devices" in refused("plan", SMOOTH, "--on", "p.toml")


@pytest.mark.parametrize("command", ["train", "describe", "plan"])
def test_flags_of_the_environment_that_xla_does_not_know(refused, monkeypatch, command):
    monkeypatch.setenv("XLA_FLAGS", "--xla_nonsense=1")
    assert "XLA_FLAGS, from the environment" in refused(command, SMOOTH)


def test_a_profile_from_python(tmp_path):
    import dljax

    experiment = dljax.load(SMOOTH)(steps=1)
    for profile, told in (("cpuu", "did you mean 'cpu'"), (3, "profile 3: expected a Profile")):
        with pytest.raises(UserError, match=told):
            dljax.run(experiment, profile, tmp_path / "run", quiet=True)
    (tmp_path / "one.toml").write_text("[mesh]\ndata = 1")
    dljax.run(experiment, tmp_path / "one.toml", tmp_path / "run", quiet=True)
    assert json.loads((tmp_path / "run" / "record.json").read_text())["profile"]["name"] == "one"


def test_batch_and_mesh(refused, tmp_path):
    assert "batch 33 does not divide by the mesh of 8" in refused("train", SMOOTH, "--batch", "33")
    assert not (tmp_path / "runs").exists()


UNET = str(ROOT / "experiments" / "segmentation" / "unet_{}.py")
DDPM = str(ROOT / "experiments" / "diffusion" / "ddpm.py")


@pytest.mark.parametrize(
    "file, words, told",
    [
        (UNET.format("isbi"), "--fake --crop 100", "100x100 .* of 8; the nearest is 96x96"),
        (UNET.format("isbi"), "--data slices --crop 32", "100x52 .* of 8; the nearest is 96x48"),
        (UNET.format("collages"), "--fake --size 60", "60x60 .* of 8; the nearest is 64x64"),
        (UNET.format("collages"), "--fake --size 25 --variant tiny", "25x25 .* of 2; "),
        (DDPM, "--fake --size 14", "14x14 .* of 4; the nearest is 16x16"),
        (DDPM, "--fake --size 1", "1x1 .* of 4; the nearest is 4x4"),
    ],
)
def test_sides_that_cannot_be_halved(refused, tmp_path, file, words, told):
    """Before training, also where crops could be halved and only the whole slices cannot."""
    for kind in ("image", "label"):
        (tmp_path / "slices" / kind).mkdir(parents=True)
        for i in range(2):
            picture = Image.new("L", (52, 100))
            picture.paste(255, (0, 0, 26, 100))
            picture.save(tmp_path / "slices" / kind / f"{i}.png")
    (tmp_path / "one.toml").write_text("[mesh]\ndata = 1")
    line = refused("train", file, *words.split(), "--on", "one.toml")
    assert re.search(f"images of {told}", line), line
    assert not (tmp_path / "runs").exists()


def test_an_absent_dataset_is_told_at_once(refused, tmp_path, monkeypatch):
    def no_network(*args):
        raise AssertionError("asked the network")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "empty"))
    (tmp_path / "own.py").write_text(
        "from dljax.data.datasets import mnist\ndef experiment():\n    mnist.load()\n"
    )
    told = refused("train", "own.py")
    assert "no mnist in" in told and "--data FOLDER" in told and "dljax[tf]" in told


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of 6 steps with a checkpoint at 4, to be copied and damaged."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "p.toml").write_text("checkpoint_every = 4\n[mesh]\ndata = 1")
    words = ["train", SMOOTH, "--steps", "6", "--on", f"{folder}/p.toml"]
    assert main([*words, "--workdir", f"{folder}/run"]) == 0
    return folder


@pytest.fixture
def again(trained, tmp_path):
    """A copy of that run, and the words that go on with it."""
    shutil.copytree(trained, tmp_path / "copy")
    folder = tmp_path / "copy"
    return folder / "run", (
        *("train", SMOOTH, "--steps", "6", "--on", f"{folder}/p.toml"),
        *("--workdir", f"{folder}/run"),
    )


# Once an array could not be read, orbax drops the coroutines that read the others.
unread = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def collected():
    yield
    gc.collect()


@unread
@pytest.mark.usefixtures("collected")
def test_a_truncated_checkpoint(refused, again):
    run, words = again
    for file in (run / "checkpoints" / "6").rglob("*"):
        if file.is_file() and file.stat().st_size > 500:
            with file.open("r+b") as opened:
                opened.truncate(file.stat().st_size // 2)
    before = contents(run / "checkpoints")
    told = refused(*words)
    assert "checkpoint 6 is damaged" in told and "to go on from step 4" in told
    assert contents(run / "checkpoints") == before
    assert "checkpoint 6 is damaged" in refused("eval", run)
    # What it says to do helps.
    shutil.rmtree(re.search(r"remove (\S+)", told)[1])
    assert main(list(words)) == 0


@unread
@pytest.mark.usefixtures("collected")
def test_a_foreign_checkpoint(refused, again, tmp_path):
    run, words = again
    wider = [*words[:2], "--width", "24", *words[2:-1], str(tmp_path / "wider")]
    assert main(wider) == 0
    shutil.rmtree(run / "checkpoints")
    shutil.copytree(tmp_path / "wider" / "checkpoints", run / "checkpoints")
    before = contents(run / "checkpoints")
    assert "of another model" in refused(*words)
    assert contents(run / "checkpoints") == before


@pytest.mark.parametrize("damaged", ["{", "[]", "\udcff", '{"file": "x.py"}', '{"knobs": []}'])
def test_a_damaged_record_is_not_opened(refused, tmp_path, damaged):
    run = tmp_path / "damaged"
    run.mkdir()
    (run / "record.json").write_text(damaged, errors="surrogateescape")
    assert f"{run / 'record.json'} is damaged" in refused("eval", run)


def test_the_folder_of_another_experiment(refused, again, tmp_path):
    run, words = again
    before = contents(run)
    assert "--lr: it had 0.1, you gave 0.2" in refused(*words, "--lr", "0.2")
    other = tmp_path / "smooth_digits.py"
    other.write_text(Path(SMOOTH).read_text().replace("jnp.tanh", "jnp.sin"))
    assert "code has changed" in refused(words[0], other, *words[2:])
    (run / "record.json").write_text("{")
    assert "record.json is damaged" in refused(*words)
    (run / "record.json").write_bytes(before["record.json"])
    assert contents(run) == before


def test_folders_that_cannot_be_used(refused, tmp_path):
    (tmp_path / "file").write_text("kept")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("kept")
    for place, told in (
        ("file", "is a file"),
        ("file/below", "cannot be written"),
        ("/proc/below", "cannot be written"),
        ("full", "no run of dljax"),
    ):
        assert told in refused("train", SMOOTH, "--workdir", place)
    assert contents(tmp_path) == {"file": b"kept", "full/thesis.txt": b"kept"}


def test_divergence_is_told_and_its_batch_kept(refused, again, tmp_path):
    _, words = again
    folder = tmp_path / "diverged"
    told = refused(*words[:-1], folder, "--lr", "1e38", status=1)
    assert "player 'model' diverged" in told
    (kept,) = (folder / "failure").iterdir()
    assert str(kept) in told


_LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
from dljax.cli.main import main
sys.exit(main())
"""


def test_a_full_disk(tmp_path):
    """No file may grow past 30 kB: what the kernel then says is what it says of a full disk."""
    words = ["train", SMOOTH, "--steps", "8", "--width", "512", "--workdir", "run"]
    (tmp_path / "off.toml").write_text('compilation_cache = "off"')

    def run(*command: str) -> subprocess.CompletedProcess:
        command = (sys.executable, *command, *words, "--on", "off.toml")
        return subprocess.run(
            command, cwd=tmp_path, env=environment(), capture_output=True, text=True
        )

    done = run("-c", _LIMITED)
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("dljax: ")]
    assert len(lines) == 1 and "the disk is full" in lines[0] and "Traceback" not in done.stderr
    # With space again, the same command ends well.
    done = run("-m", "dljax")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run" / "result.json").read_text())["steps"] == 8
