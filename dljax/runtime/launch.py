"""Launch of several processes as one run: on this machine, or as a Slurm job. Needs no jax."""

import ctypes
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

from dljax.errors import UserError
from dljax.runtime.profile import Launcher, Profile

# Environment variables that tell a process of the others; read in runtime/processes.py.
COORDINATOR, COUNT, INDEX = "DLJAX_COORDINATOR", "DLJAX_PROCESSES", "DLJAX_PROCESS"

GRACE = 20.0  # seconds between asking a process to end and ending it

# Lines of the libraries when processes meet, and when one of them loses another.
_NOISE = re.compile(
    r"\[Gloo\] Rank|coordination_service|JAX distributed service detected|GRPC error|^:UNKNOWN:|"
    r"preemption_notifier|Check failure stack trace|^    @ "
)


class ChildFailed(UserError):
    """A launch of which one process ended badly; the others were ended too."""

    def __init__(self, words: str, status: int):
        super().__init__(words)
        self.status = status


def among_several() -> bool:
    """True where this process is one of several of a launch (``dljax launch`` or Slurm)."""
    slurm = os.environ.get("SLURM_NTASKS", "") if "SLURM_PROCID" in os.environ else ""
    return any(n.isdecimal() and int(n) > 1 for n in (os.environ.get(COUNT, ""), slurm))


def leave(status: int) -> None:
    """End this process at once if it is one of several: jax would wait minutes for the others."""
    if among_several():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def follow_the_launcher() -> None:
    """Have Linux send this process of a launch SIGTERM when the launcher ends, even by a kill."""
    if COUNT in os.environ and sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def gpus_of(index: int, processes: int, folder: Path = Path("/dev")) -> dict[str, str]:
    """Environment variables that give process ``index`` an equal share of the NVIDIA GPUs.

    They are the GPUs of this machine, or those that CUDA_VISIBLE_DEVICES names. Empty for a single
    process, and where there are fewer GPUs than processes.
    """
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    found = sorted(int(p.name.removeprefix("nvidia")) for p in folder.glob("nvidia[0-9]*"))
    gpus = [str(i) for i in found] if named is None else [g for g in named.split(",") if g]
    share = len(gpus) // processes
    if processes == 1 or not share:
        return {}
    return {"CUDA_VISIBLE_DEVICES": ",".join(gpus[index * share : (index + 1) * share])}


class _Child:
    """A process of the launch; its output is passed on, its number before each line."""

    def __init__(self, index: int, command: list[str], environment: dict[str, str]):
        self.index = index
        self.complaint = ""  # its last line that begins with "dljax:", shown once for all processes
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # Ctrl-C goes to the launcher alone, which passes it on
        )
        assert self.process.stdout
        self.reader = threading.Thread(target=self._pass_on, args=(self.process.stdout,))
        self.reader.start()

    def _pass_on(self, lines: IO[str]) -> None:
        for line in lines:
            if line.startswith("dljax: "):
                self.complaint = line.removeprefix("dljax: ").strip()
            elif not _NOISE.search(line):
                print(f"[{self.index}] {line}", end="", flush=True)

    def signal(self, number: int) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)


def _end(children: list[_Child], grace: float) -> None:
    """Send SIGTERM to all that live, and SIGKILL to those still alive after ``grace`` seconds."""
    for child in children:
        child.signal(signal.SIGTERM)
    deadline = time.monotonic() + grace
    for child in children:
        try:
            child.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.signal(signal.SIGKILL)
            child.process.wait()


def launch(command: list[str], processes: int, grace: float = GRACE) -> int:
    """Run ``command`` as several processes that find each other, each with its share of the GPUs.

    SIGTERM and Ctrl-C are passed on as SIGTERM: the processes agree on a step, save and end. When
    one ends badly the others are ended too, since they would wait for it.

    Args:
        processes: how many.
        grace: seconds between SIGTERM and SIGKILL.

    Returns:
        0 when all ended well.

    Raises:
        ChildFailed: one did not; it has the status of the first.
        UserError: fewer than one process.
    """
    if processes < 1:
        raise UserError(f"--processes {processes}: expected a whole number above 0")
    address = f"127.0.0.1:{_free_port()}"
    asked: list[int] = []
    children: list[_Child] = []

    def pass_on(number: int, frame) -> None:
        asked.append(number)
        for child in children:
            child.signal(signal.SIGTERM if len(asked) < 3 else signal.SIGKILL)

    old = {n: signal.signal(n, pass_on) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        for index in range(processes):
            who = {COUNT: str(processes), INDEX: str(index)}
            who |= {COORDINATOR: address} if processes > 1 else {}
            children.append(_Child(index, command, who | gpus_of(index, processes)))
        while True:
            codes = [child.process.poll() for child in children]
            failed = [c for c, code in zip(children, codes, strict=True) if code]
            if failed or all(code == 0 for code in codes):
                break
            time.sleep(0.05)
        _end(children, grace)
    finally:
        for child in children:
            child.signal(signal.SIGKILL)
        for child in children:
            child.reader.join()
        for number, handler in old.items():
            signal.signal(number, handler)
    if not failed:
        return 0
    first = next((child for child in failed if child.complaint), failed[0])
    code = first.process.returncode
    status = code if code > 0 else 128 - code
    if asked:
        status = 128 + asked[0]
    ended = f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"
    words = first.complaint or (
        f"process {first.index} ended with {ended}, so all were ended: run the same command again "
        "to go on from the last checkpoint"
    )
    raise ChildFailed(words, status)


_SCRIPT = """#!/bin/bash
#SBATCH --job-name={name}
{options}
#SBATCH --output={output}
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=TERM@{notice}

# SIGTERM comes {notice} s before the time limit, and before a preemption: every process then saves
# and ends with 143, and the job goes back into the queue. The same script goes on where it stopped.
srun --kill-on-bad-exit=1 {command}
status=$?
if [ "$status" -eq 143 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
"""

_NOTICE = 120  # seconds for the last checkpoint

_TIME = re.compile(r"\d+(:[0-5]\d){0,2}|\d+-\d{1,2}(:[0-5]\d){0,2}")
_NAMES = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,-]*|")
_MEMORY = re.compile(r"(\d+[KMGT]?)?")


def check_launcher(profile: Profile) -> None:
    """Check that a profile's [launcher] suits Slurm and the profile's mesh.

    Raises:
        UserError: a value that cannot be right; the first is told.
    """
    asked = profile.launcher
    where = f"profile {profile.name!r} [launcher]"
    for key, low in (
        ("nodes", 1),
        ("tasks_per_node", 1),
        ("gpus_per_node", 0),
        ("cpus_per_task", 1),
    ):
        if getattr(asked, key) < low:
            raise UserError(f"{where}: {key} = {getattr(asked, key)}: expected {low} or more")
    for key, form, expected in (
        ("time", _TIME, "minutes, hours:minutes:seconds or days-hours:minutes:seconds"),
        ("partition", _NAMES, "letters, digits and . , _ -"),
        ("account", _NAMES, "letters, digits and . , _ -"),
        ("memory", _MEMORY, "a number with K, M, G or T"),
    ):
        if not form.fullmatch(getattr(asked, key)):
            raise UserError(f"{where}: {key} = {getattr(asked, key)!r}: expected {expected}")
    if profile.device == "gpu" and asked.tasks_per_node != asked.gpus_per_node:
        raise UserError(
            f"{where}: tasks_per_node = {asked.tasks_per_node}, gpus_per_node = "
            f"{asked.gpus_per_node}: one process per GPU, so make them equal"
        )
    devices = asked.nodes * asked.tasks_per_node * max(profile.host_devices, 1)
    data, fsdp = profile.mesh.data, profile.mesh.fsdp
    needs = (
        devices // fsdp * fsdp if data == -1 else data * (devices // data if fsdp == -1 else fsdp)
    )
    if profile.device != "tpu" and needs != devices:
        raise UserError(
            f"profile {profile.name!r}: [mesh] data {data} x fsdp {fsdp} is not the {devices} "
            f"devices of {asked.nodes} nodes with {asked.tasks_per_node} tasks each"
        )


def _options(asked: Launcher) -> str:
    lines = [
        f"--nodes={asked.nodes}",
        f"--ntasks-per-node={asked.tasks_per_node}",
        f"--cpus-per-task={asked.cpus_per_task}",
        f"--time={asked.time}",
    ]
    for option, value in (
        ("gpus-per-node", asked.gpus_per_node),
        ("mem", asked.memory),
        ("partition", asked.partition),
        ("account", asked.account),
    ):
        if value:
            lines.append(f"--{option}={value}")
    return "\n".join(f"#SBATCH {line}" for line in lines)


def slurm_script(profile: Profile, command: list[str], workdir: Path) -> str:
    """The batch script that runs ``command`` on the nodes of the profile's [launcher].

    Raises:
        UserError: a value that Slurm would refuse or that does not fit the mesh.
    """
    check_launcher(profile)
    if re.search(r"\s|%", str(workdir)):
        raise UserError(f"--workdir {workdir}: Slurm takes no spaces and no % in it")
    return _SCRIPT.format(
        name=workdir.name,
        options=_options(profile.launcher),
        output=f"{workdir}.slurm.out",
        notice=_NOTICE,
        command=shlex.join(command),
    )


def submit(script: str, workdir: Path) -> str:
    """Store the script beside the run's folder, hand it to ``sbatch`` and return its answer.

    Raises:
        UserError: there is no ``sbatch``, it refused, or the script cannot be written.
    """
    if shutil.which("sbatch") is None:
        raise UserError("no sbatch on this machine's PATH: --dry-run prints the script instead")
    file = Path(f"{workdir}.slurm.sh")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(script, encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror or error}") from None
    done = subprocess.run(
        ["sbatch", str(file)], capture_output=True, text=True, encoding="utf-8", errors="replace"
    )
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines() or [f"status {done.returncode}"]
        raise UserError(f"sbatch refused {file}: {words[-1]}")
    return done.stdout.strip()
