"""Several processes as one run: the same numbers, the same end for all, and Slurm's part in it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

import dljax
from dljax.cli.main import main
from dljax.cli.runs import open_checkpoint
from dljax.code import default_workdir
from dljax.errors import UserError
from dljax.runtime.launch import gpus_of, slurm_script
from dljax.runtime.profile import Launcher, Mesh, Profile, load_profile
from dljax.runtime.rundir import read_metrics

ROOT = Path(__file__).parents[1]
SMOOTH = str(Path(__file__).parent / "smooth_digits.py")
ONE = Profile(mesh=Mesh(data=1), checkpoint_every=50)
STEPS = "3000"  # more than any of these runs lives to see, but the last

# One device and one thread per process: two of them share a small machine with other tests.
ENVIRONMENT = {
    **os.environ,
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "JAX_PLATFORMS": "cpu",
    "OMP_NUM_THREADS": "1",
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "often.toml").write_text("checkpoint_every = 50")
    return tmp_path


def start(*words: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "dljax", "launch", "--processes", "2", SMOOTH, *words]
    return subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def steps(run: Path) -> list[int]:
    return sorted(int(p.name) for p in run.glob("checkpoints/*") if p.name.isdigit())


def wait_past(step: int, run: Path, process: subprocess.Popen) -> None:
    while not (steps(run) and steps(run)[-1] > step):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.deep
def test_two_processes_give_the_numbers_of_one(folder):
    # Evaluated at every step: both must find the same ones worth keeping, while others are written.
    process = start("--steps", "20", "--every", "1", "--workdir", "two")
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "[0] no verdict" in out and "[1] no verdict" not in out  # one of them reports
    one = dljax.run(dljax.load(SMOOTH)(steps=20, every=1), ONE, "one", quiet=True)
    assert steps(folder / "one") == steps(folder / "two") and len(steps(folder / "one")) > 1
    # What either of them wrote is held to its digest when it is restored.
    sums = (folder / "two" / "checkpoints" / "20" / "SHA256SUMS").read_text()
    assert "ocdbt.process_0/" in sums and "ocdbt.process_1/" in sums
    two = open_checkpoint(dljax.load(SMOOTH)(steps=20), folder / "two", ONE).state
    for a, b in zip(jax.tree.leaves(one.state.params), jax.tree.leaves(two.params), strict=True):
        # 20 steps of SGD on a smooth net; the sums over the batch are taken in another order.
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), atol=1e-5, rtol=0)
    results = [json.loads((folder / n / "result.json").read_text()) for n in ("one", "two")]
    assert results[0]["metrics"]["test/loss"] == pytest.approx(
        results[1]["metrics"]["test/loss"], abs=1e-5
    )


@pytest.mark.deep
@pytest.mark.skipif(sys.platform != "linux", reason="finds the children in /proc")
def test_one_is_killed_and_all_end_and_a_relaunch_goes_on(folder):
    run = folder / "run"
    words = ("--steps", STEPS, "--workdir", "run", "--on", "often.toml")
    process = start(*words)
    wait_past(0, run, process)
    pids = children(process.pid)
    assert len(pids) == 2
    os.kill(pids[1], signal.SIGKILL)
    _, err = process.communicate(timeout=120)
    assert process.returncode not in (0, 2)
    assert "were ended" in err and err.count("dljax: ") == 1
    assert not any(map(alive, pids))

    held = steps(run)[-1]
    process = start(*words)
    wait_past(held, run, process)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM
    assert f"going on from step {held}" in out
    stopped = int(re.search(r"stopped by SIGTERM at step (\d+), saved", err)[1])
    assert steps(run)[-1] == stopped

    # And one process goes on where two stopped.
    result = dljax.run(dljax.load(SMOOTH)(steps=int(STEPS)), ONE, run, quiet=True)
    assert int(result.state.step) == int(STEPS)
    logged = [row["step"] for row in read_metrics(run)]
    assert logged == sorted(logged)


def test_gpus_are_shared_out(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert gpus_of(0, 2, tmp_path) == {}
    for name in ("nvidia0", "nvidia1", "nvidia2", "nvidia10", "nvidiactl"):
        (tmp_path / name).touch()
    assert gpus_of(1, 2, tmp_path) == {"CUDA_VISIBLE_DEVICES": "2,10"}
    assert gpus_of(0, 3, tmp_path) == {"CUDA_VISIBLE_DEVICES": "0"}
    assert gpus_of(0, 1, tmp_path) == gpus_of(0, 8, tmp_path) == {}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")
    assert gpus_of(1, 2, tmp_path) == {"CUDA_VISIBLE_DEVICES": "GPU-b"}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpus_of(0, 2, tmp_path) == {}


def test_wrong_input_is_told_once(folder):
    process = start("--batch", "33", "--workdir", "run")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert err.startswith("dljax: batch 33 does not divide") and err.count("\n") == 1
    assert not (folder / "run").exists()


# Slurm, as far as a script sees it. The job's first step is preempted once it has a checkpoint.
_SBATCH = """#!{python}
import os, re, subprocess, sys
script = open(sys.argv[1]).read()
said = dict(re.findall(r"^#SBATCH --([a-z-]+)=(.*)$", script, re.M))
tasks = int(said["nodes"]) * int(said["ntasks-per-node"])
own = dict(SLURM_JOB_ID=str(os.getpid()), SLURM_NTASKS=str(tasks))
print("Submitted batch job", own["SLURM_JOB_ID"], flush=True)
while True:
    with open(said["output"], "a") as out:
        done = subprocess.run(["bash", sys.argv[1]], env=os.environ | own, stdout=out, stderr=out)
    if not os.path.exists("requeued"):
        break
    os.rename("requeued", "was_requeued")
open("status", "w").write(str(done.returncode))
"""
_SRUN = """#!{python}
import glob, os, subprocess, sys, time
command = [word for word in sys.argv[1:] if not word.startswith("--kill-on-bad-exit")]
workdir = next(w.split("=")[1] for w in command if w.startswith("--workdir="))
tasks = []
for i in range(int(os.environ["SLURM_NTASKS"])):
    own = dict(SLURM_PROCID=str(i), SLURM_LOCALID=str(i), SLURM_STEP_NODELIST="localhost")
    tasks.append(subprocess.Popen(sys.argv[2:], env=os.environ | own))
if not os.path.exists("was_requeued"):
    while not [p for p in glob.glob(workdir + "/checkpoints/*") if p.split("/")[-1].isdigit()]:
        if all(task.poll() is not None for task in tasks):
            break
        time.sleep(0.05)
    for task in tasks:
        task.terminate()
sys.exit(max(task.wait() for task in tasks))
"""
_SCONTROL = '#!/bin/bash\ntest "$1" = requeue && test "$2" = "$SLURM_JOB_ID" && touch requeued\n'


@pytest.fixture
def slurm(folder, monkeypatch):
    bin = folder / "bin"
    bin.mkdir()
    for name, text in (("sbatch", _SBATCH), ("srun", _SRUN), ("scontrol", _SCONTROL)):
        (bin / name).write_text(text.replace("{python}", sys.executable))
        (bin / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin}:{os.environ['PATH']}")
    (folder / "slurm.toml").write_text(
        'device = "cpu"\ncheckpoint_every = 50\n[mesh]\ndata = 2\n'
        '[launcher]\ntasks_per_node = 2\ntime = "00:10:00"\npartition = "short"\n'
    )


@pytest.mark.deep
def test_slurm_runs_the_script_and_a_preempted_job_goes_on(folder, slurm, monkeypatch, capsys):
    for name in ("XLA_FLAGS", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, ENVIRONMENT[name])
    words = ["launch", "--slurm", "--on", "slurm.toml", SMOOTH, "--steps", "400"]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "Submitted batch job" in told
    output = Path(re.search(r"output: (\S+)", told)[1])
    text = output.read_text()
    assert (folder / "status").read_text() == "0", text
    assert (folder / "was_requeued").exists()
    assert "stopped by SIGTERM at step" in text and "going on from step" in text
    (result,) = folder.glob("runs/*/result.json")
    assert json.loads(result.read_text())["steps"] == 400
    # The folder that the script names is the one that `dljax train` would find by itself.
    assert default_workdir(dljax.load(SMOOTH)(steps=400).origin).absolute() == result.parent


def test_dry_run_prints_the_script(folder, capsys):
    profile = ROOT / "configs" / "slurm_gpu_x8.toml"
    assert main(["launch", "--slurm", "--dry-run", "--on", str(profile), SMOOTH, "--lr=0.2"]) == 0
    script = capsys.readouterr().out
    for line in (
        "#SBATCH --nodes=2",
        "#SBATCH --ntasks-per-node=8",
        "#SBATCH --gpus-per-node=8",
        "#SBATCH --time=12:00:00",
        "#SBATCH --partition=gpu",
        "#SBATCH --requeue",
        "#SBATCH --open-mode=append",
        "#SBATCH --signal=TERM@120",
    ):
        assert line + "\n" in script
    assert re.search(
        r"^srun .* train \S+smooth_digits.py --lr=0.2 --on=\S+ --workdir=/\S+$", script, re.M
    )
    assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0
    assert list(folder.iterdir()) == [folder / "often.toml"]


def test_without_slurm_there_is_a_way_out(folder, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(folder))
    assert main(["launch", "--slurm", "--on", "often.toml", SMOOTH]) == 2
    assert "--dry-run" in capsys.readouterr().err


@pytest.mark.parametrize(
    "launcher, told",
    [
        ({"nodes": 0}, "nodes = 0: expected 1 or more"),
        ({"tasks_per_node": 0}, "tasks_per_node = 0"),
        ({"cpus_per_task": 0}, "cpus_per_task = 0"),
        ({"time": "1 day"}, "time = '1 day'"),
        ({"time": "12:61:00"}, "time = '12:61:00'"),
        ({"partition": "gpu; rm"}, "partition = 'gpu; rm'"),
        ({"account": "a b"}, "account = 'a b'"),
        ({"memory": "16 GB"}, "memory = '16 GB'"),
        ({"gpus_per_node": 4}, "one process per GPU"),
        ({"nodes": 3}, "data 16 x fsdp 1 is not the 24 devices"),
    ],
)
def test_launchers_are_held_to_slurm_and_the_mesh(launcher, told):
    right = {"nodes": 2, "tasks_per_node": 8, "gpus_per_node": 8, "time": "1-12:00:00"}
    profile = Profile(name="p", device="gpu", mesh=Mesh(data=16), launcher=Launcher(**right))
    assert "--nodes=2" in slurm_script(profile, ["true"], Path("runs/x"))
    wrong = Profile(
        name="p", device="gpu", mesh=Mesh(data=16), launcher=Launcher(**{**right, **launcher})
    )
    with pytest.raises(UserError, match=re.escape(told)):
        slurm_script(wrong, ["true"], Path("runs/x"))


def test_the_shipped_slurm_profiles_are_right():
    for file in (ROOT / "configs").glob("slurm_*.toml"):
        assert "srun" in slurm_script(load_profile(file), ["true"], Path("runs/x"))
