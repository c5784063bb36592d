"""Profiles: where and how a run runs, from ``configs/*.toml``. No run's meaning depends on one."""

import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

from dljax.errors import UserError, nearest

_DEVICES = ("auto", "cpu", "gpu", "tpu")
_PRECISIONS = ("float32", "bfloat16")
_EXECUTORS = ("jit", "pmap")
MOST_STAND_INS = 1024  # devices made of one processor; XLA compiles for a few thousand at most


@dataclass(frozen=True)
class Mesh:
    """Numbers of devices along the axes of the mesh; -1 takes all that the other leaves.

    The batch is divided over both axes; parameters and optimizer state over ``fsdp``.
    """

    data: int = -1
    fsdp: int = 1


@dataclass(frozen=True)
class Launcher:
    """Resources of a Slurm job (``dljax launch --slurm``); "" and 0 ask for none."""

    nodes: int = 1
    tasks_per_node: int = 1
    gpus_per_node: int = 0
    cpus_per_task: int = 2
    memory: str = ""
    time: str = "01:00:00"
    partition: str = ""
    account: str = ""


@dataclass(frozen=True)
class Profile:
    """A file of ``configs``. Every key has a default that is right for one machine.

    Attributes:
        device: "cpu", "gpu", "tpu", or "auto" for the devices that jax finds.
        mesh: numbers of devices.
        executor: "jit" with shardings, or "pmap".
        precision: "float32" or "bfloat16", of losses and gradients; parameters stay float32.
        microbatch: examples per gradient at most; the batch is then accumulated over several.
        eval_batch: rows of an evaluation's batch; 0 takes the training batch's, or 64 if that is more.
        remat: in training, blocks of transformers (of an encoder-decoder those of the encoder) are computed
            anew on the way back, to save memory; XLA undoes it on CPU but where blocks are scanned.
        scan_layers: equal blocks without dropout are compiled once and looped over.
        steps_per_call: steps scanned in one call to the device.
        checkpoint_every: steps between checkpoints; 0 saves at the end of the run only.
        keep: number of newest checkpoints kept, beside the best.
        host_devices: make this many devices of the processor (debugging; device = "cpu").
        xla_flags: added to XLA_FLAGS.
        compilation_cache: folder of compiled programs; "" for the user's cache folder, "off" for none.
        wandb: name of a Weights & Biases project to log to as well (``pip install 'dljax[wandb]'``).
        debug_nans: stop at the operation that makes the first NaN (slow).
        launcher: resources of a Slurm job.
    """

    name: str = "default"
    device: str = "auto"
    mesh: Mesh = Mesh()
    executor: str = "jit"
    precision: str = "float32"
    microbatch: int = 0
    eval_batch: int = 0
    remat: bool = False
    scan_layers: bool = False
    steps_per_call: int = 1
    checkpoint_every: int = 1000
    keep: int = 2
    host_devices: int = 0
    xla_flags: tuple[str, ...] = ()
    compilation_cache: str = ""
    wandb: str = ""
    debug_nans: bool = False
    launcher: Launcher = field(default_factory=Launcher)

    def environment(self) -> dict[str, str]:
        """Environment variables that must be set before jax is imported."""
        flags = [os.environ.get("XLA_FLAGS", ""), *self.xla_flags]
        if self.host_devices:
            flags.append(f"--xla_force_host_platform_device_count={self.host_devices}")
        out = {"XLA_FLAGS": " ".join(filter(None, flags))} if any(flags) else {}
        platform = {"cpu": "cpu", "gpu": "cuda", "tpu": "tpu"}.get(self.device)
        if platform and "JAX_PLATFORMS" not in os.environ:
            out["JAX_PLATFORMS"] = platform
        return out


_ASK = "from jaxlib import xla_client; xla_client.CompileOptions()"


@cache
def check_flags(flags: str) -> None:
    """Have XLA read the flags in another process, since it ends the process at a wrong one.

    Raises:
        UserError: XLA does not know one of them.
    """
    if not flags:
        return
    environment = {**os.environ, "XLA_FLAGS": flags}
    asked = subprocess.run([sys.executable, "-c", _ASK], env=environment, capture_output=True)
    told = re.search(rb"^[EF]\d{4} .*?\] (.*)", asked.stderr, re.M)
    if asked.returncode and told:
        words = told[1].decode(errors="replace")
        raise UserError(
            f"XLA_FLAGS, from the environment or from xla_flags in the profile: {words[:200]}"
        )


def _checked(cls: type, given: dict[str, Any], where: str) -> Any:
    known = {f.name: f for f in fields(cls) if f.name != "name" or cls is not Profile}
    out: dict[str, Any] = {}
    for key, value in given.items():
        if key not in known:
            raise UserError(f"{where}: unknown key {key!r}; {nearest(key, known)}")
        default = getattr(cls(), key)
        if key in ("mesh", "launcher"):
            if not isinstance(value, dict):
                raise UserError(f"{where}: {key} must be a table, [{key}]")
            out[key] = _checked(type(default), value, f"{where} [{key}]")
            continue
        value = tuple(value) if isinstance(value, list) else value
        if isinstance(default, tuple):
            if not isinstance(value, tuple) or not all(isinstance(x, str) for x in value):
                raise UserError(f"{where}: {key} = {given[key]!r}: expected a list of strings")
        elif type(value) is not type(default):
            raise UserError(
                f"{where}: {key} = {value!r}: expected {type(default).__name__}, like {default!r}"
            )
        out[key] = value
    return cls(**out)


def load_profile(name: str | Path | None = None) -> Profile:
    """The profile of a file, of a name in ``configs/``, or the default one.

    Raises:
        UserError: no such file, not TOML, an unknown key, or a value out of range.
    """
    if name is None:
        return Profile()
    if not isinstance(name, str | Path):
        raise UserError(f"profile {name!r}: expected a Profile, a file or a name in configs/")
    path, home = Path(name), Path(__file__).parents[2] / "configs"
    if not path.suffix:
        candidates = [Path("configs") / f"{name}.toml", home / f"{name}.toml"]
        path = next((p for p in candidates if os.path.isfile(p)), path)
    if not os.path.isfile(path):
        if str(name) in ("cpu", "gpu", "tpu"):  # an installed package has no configs folder
            return Profile(name=str(name), device=str(name))
        folder = path.parent if path.suffix else (home if home.is_dir() else Path("configs"))
        known = [p.stem for p in folder.glob("*.toml")] or ["cpu", "gpu", "tpu"]
        raise UserError(f"no profile {name}: {nearest(path.stem, known)}")
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not TOML: {error}") from None
    profile: Profile = _checked(Profile, given, str(path))
    for key, allowed in (
        ("device", _DEVICES),
        ("precision", _PRECISIONS),
        ("executor", _EXECUTORS),
    ):
        if getattr(profile, key) not in allowed:
            raise UserError(
                f"{path}: {key} = {getattr(profile, key)!r}: expected {' | '.join(allowed)}"
            )
    for key, low in (
        ("microbatch", 0),
        ("eval_batch", 0),
        ("steps_per_call", 1),
        ("checkpoint_every", 0),
        ("keep", 1),
        ("host_devices", 0),
    ):
        if getattr(profile, key) < low:
            raise UserError(f"{path}: {key} = {getattr(profile, key)}: expected {low} or more")
    if profile.host_devices > MOST_STAND_INS:
        raise UserError(
            f"{path}: host_devices = {profile.host_devices}: expected at most {MOST_STAND_INS}"
        )
    sizes = (profile.mesh.data, profile.mesh.fsdp)
    if any(size < 1 and size != -1 for size in sizes) or sizes == (-1, -1):
        raise UserError(
            f"{path}: [mesh] data = {sizes[0]}, fsdp = {sizes[1]}: expected positive "
            "numbers, at most one of them -1"
        )
    object.__setattr__(profile, "name", path.stem)
    return profile
