"""The surroundings of a command: a locale, closed streams, odd variables, a caller's process."""

import shutil
import subprocess
import sys
from pathlib import Path

import jax
import pytest
from alone import environment
from jax.experimental.compilation_cache.compilation_cache import reset_cache

from dljax.runtime.processes import prepare, prepared
from dljax.runtime.profile import Profile

SMOOTH = str(Path(__file__).parent / "smooth_digits.py")
_SPEAKING = """# Übung: größer, 日本語
from smooth_digits import experiment as smooth
def experiment(*, prompt: str = "né", steps: int = 2):
    return smooth(prompt=prompt + "→", steps=steps)
"""


def test_a_locale_that_cannot_spell(tmp_path):
    """Files and words that are no ASCII, where the locale knows nothing else."""
    shutil.copy(SMOOTH, tmp_path)
    docstring = '"""Größe. Müller 日本語."""\n'
    (tmp_path / "größe.py").write_text(docstring + _SPEAKING, "utf-8")
    (tmp_path / "größe.toml").write_text("# ü\n[mesh]\ndata = 1", "utf-8")
    lines = [["train", "größe.py", "--help"], ["list"]]
    lines += [["train", "größe.py", "--workdir", "run", "--on", "größe.toml"]]
    lines += [["eval", "run"], ["sample", "run", "--prompt", "über"], ["train", "wö.py"]]
    program = "import sys\nfrom dljax.cli.main import main\n"
    program += "print([main(line.split(';')) for line in sys.argv[1:]])"
    plain = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-c", program, *map(";".join, lines)]
    done = subprocess.run(command, capture_output=True, env=environment(**plain), cwd=tmp_path)
    told = done.stdout.decode("ascii")
    assert done.returncode == 0, done.stderr.decode()
    assert told.splitlines()[-1] == "[0, 0, 0, 0, 0, 2]", told + done.stderr.decode()
    report = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "Größe. Müller 日本語." in report and "né→ of width 16" in report
    (text,) = (tmp_path / "run" / "samples").glob("words*.txt")
    # The word's bytes, which this locale has no letters for.
    assert text.read_text("utf-8") == r"\udcc3\udcbcber→ of width 16"


@pytest.mark.skipif(sys.platform == "win32", reason="a shell's own redirections")
@pytest.mark.parametrize(
    "shell, status, told",
    [
        ("{dljax} list >&-", 0, ""),
        ("{dljax} list 2>&-", 0, ""),
        ("{dljax} lisst 2>&-", 2, ""),
        ("{dljax} list >/dev/full", 2, "the disk is full"),
        ("mkdir gone && cd gone && rmdir ../gone && {dljax} list", 2, "working directory is gone"),
        ("SLURM_NTASKS=abc {dljax} lisst", 2, "no command 'lisst'"),
        ("SLURM_PROCID=0 SLURM_NTASKS=abc {dljax} plan " + SMOOTH, 2, "SLURM_NTASKS=abc: expected"),
        ("SLURM_PROCID=0 SLURM_NTASKS= {dljax} plan " + SMOOTH, 2, "SLURM_NTASKS=: expected"),
    ],
)
def test_odd_surroundings(tmp_path, shell, status, told):
    command = shell.format(dljax=f"{sys.executable} -m dljax")
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == status, done.stderr
    assert told in done.stderr and done.stderr.count("\n") == bool(told)


FOLDER, SECONDS = "jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs"


def settings() -> tuple:
    return tuple(getattr(jax.config, name) for name in (FOLDER, SECONDS, "jax_debug_nans"))


@pytest.fixture
def as_a_caller_finds_jax(tmp_path, monkeypatch):
    before = {name: getattr(jax.config, name) for name in (FOLDER, SECONDS)}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(SECONDS.upper(), raising=False)
    jax.config.update(FOLDER, None)
    jax.config.update(SECONDS, 1.0)  # jax's own
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    reset_cache()


@pytest.mark.usefixtures("as_a_caller_finds_jax")
def test_the_caller_who_set_nothing(tmp_path):
    ours = str(tmp_path / "dljax" / "compiled")
    with prepared(Profile()):
        assert settings() == (ours, 0.3, False)
        with prepared(Profile()):
            assert settings() == (ours, 0.3, False)
        assert settings() == (ours, 0.3, False)
    assert settings() == (None, 1.0, False)
    with pytest.raises(ZeroDivisionError), prepared(Profile(debug_nans=True)):
        assert settings() == (ours, 0.3, True)
        raise ZeroDivisionError
    assert settings() == (None, 1.0, False)
    with prepared(Profile(compilation_cache="off")):
        assert settings() == (None, 1.0, False)
    prepare(Profile())  # for a process that is dljax's own, to its end
    assert settings() == (ours, 0.3, False)


@pytest.mark.usefixtures("as_a_caller_finds_jax")
def test_the_caller_who_did(tmp_path, monkeypatch):
    jax.config.update(FOLDER, "/mine")
    with prepared(Profile()):
        assert settings() == ("/mine", 1.0, False)
    jax.config.update(SECONDS, 2.0)
    with prepared(Profile(compilation_cache=str(tmp_path))):  # the profile's word is the caller's
        assert settings() == (str(tmp_path), 2.0, False)
    assert settings() == ("/mine", 2.0, False)
    jax.config.update(FOLDER, None)
    jax.config.update(SECONDS, 1.0)
    monkeypatch.setenv(SECONDS.upper(), "1.0")
    with prepared(Profile()):
        assert settings() == (str(tmp_path / "dljax" / "compiled"), 1.0, False)


@pytest.mark.usefixtures("as_a_caller_finds_jax")
def test_the_cache_is_used_in_a_run_and_not_after_it(tmp_path):
    def compile(x: float) -> None:
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
        jax.jit(lambda y: y * x)(1.0).block_until_ready()

    folder = tmp_path / "cache"
    compile(1.5)
    with prepared(Profile(compilation_cache=str(folder))):
        jax.config.update(SECONDS, 0.0)
        compile(2.5)
        kept = set(folder.iterdir())
        assert kept
    jax.config.update(SECONDS, 0.0)
    compile(3.5)
    assert {f for f in folder.iterdir() if f.name.endswith("cache")} <= kept
