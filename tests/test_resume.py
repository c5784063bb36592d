"""Killed at any moment and started again, a run ends with the bits of one left alone."""

import json
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
from alone import environment
from drive import CHECKPOINT_EVERY, STEPS
from smoke import KINDS, STATE_PARAMETERS

HERE = Path(__file__).parent


def start(path: Path, *folders: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, str(HERE / "drive.py"), str(path), *map(str, folders)],
        env=environment(PYTHONPATH=str(HERE)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def steps_seen(folder: Path) -> int:
    file = folder / "metrics.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    try:
        return json.loads(lines[-1])["step"] if lines else 0
    except json.JSONDecodeError:
        return json.loads(lines[-2])["step"] if len(lines) > 1 else 0


def saved(folder: Path) -> list[Path]:
    """Checkpoints that are complete."""
    checkpoints = folder / "checkpoints"
    return [p for p in checkpoints.iterdir() if p.name.isdigit()] if checkpoints.is_dir() else []


def stop_at(process: subprocess.Popen, folder: Path, step: int, number: int) -> tuple[str, str]:
    """Send the signal as soon as the run has logged ``step`` and a checkpoint is written; what it printed."""
    deadline = time.monotonic() + 300
    while steps_seen(folder) < step or not saved(folder):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    return process.communicate(timeout=120)


def digests(path: Path, *folders: Path) -> list[str]:
    process = start(path, *folders)
    out, error = process.communicate(timeout=500)
    assert process.returncode == 0, error
    return [line.split()[1] for line in out.splitlines() if line.startswith("digest")]


@pytest.mark.parametrize("path", STATE_PARAMETERS)
def test_killed_run_ends_with_the_same_bits(path, tmp_path):
    killed, alone = tmp_path / "killed", tmp_path / "alone"
    process = start(path, killed)
    phases = 2 if "transfer" in str(path) else 1
    # Any moment will do; this one is the file's own, after the first checkpoint.
    moment = 2 * CHECKPOINT_EVERY + zlib.crc32(path.stem.encode()) % (STEPS * phases - 14)
    stop_at(process, killed, moment, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert steps_seen(killed) < STEPS * phases
    assert saved(killed)
    resumed, left_alone = digests(path, killed, alone)
    assert resumed == left_alone
    both = [(folder / "metrics.jsonl").read_text() for folder in (killed, alone)]
    assert both[0] == both[1]


@pytest.mark.deep
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_saves_and_says_how_to_go_on(number, tmp_path):
    path = next(p for p in KINDS if p.stem == "lenet")
    stopped, alone = tmp_path / "stopped", tmp_path / "alone"
    process = start(path, stopped)
    out, error = stop_at(process, stopped, 11, number)
    assert process.returncode == 128 + number, error
    assert "run the same command again to go on" in out
    assert "Traceback" not in error
    step = max(int(p.name) for p in (stopped / "checkpoints").iterdir())
    assert 11 <= step < STEPS and step % CHECKPOINT_EVERY, "saved at once, not at the next interval"
    resumed, left_alone = digests(path, stopped, alone)
    assert resumed == left_alone
