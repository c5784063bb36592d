"""The command dljax doctor: versions and devices, faults and their fixes."""

import importlib.metadata
import importlib.util
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from dljax.cli.hardware import gpu_here, gpu_usable
from dljax.cli.parsing import Parser
from dljax.errors import UserError
from dljax.folders import cache_folder, tfds_folder
from dljax.runtime.profile import check_flags

SUMMARY = "versions, devices, what is wrong and the fix"

_DESCRIPTION = """Look over this installation: versions, devices, folders. What is wrong is told with its
fix, and the exit status is then 1."""

_EXAMPLES = """
dljax doctor
"""

# distribution -> the module that must be importable
_NEEDED = {
    "jax": "jax",
    "jaxlib": "jaxlib",
    "flax": "flax",
    "optax": "optax",
    "orbax-checkpoint": "orbax.checkpoint",
    "tensorflow-datasets": "tensorflow_datasets",
    "importlib_resources": "importlib_resources",
    "pillow": "PIL",
    "grain": "grain",
    "jaxtyping": "jaxtyping",
    "numpy": "numpy",
    "scikit-learn": "sklearn",
    "rich": "rich",
    "matplotlib": "matplotlib",
    "tensorboardX": "tensorboardX",
}


class Finding(NamedTuple):
    """A fact about this installation; ``fix`` is "" where nothing is wrong."""

    what: str
    found: str
    fix: str = ""


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _python() -> Iterator[Finding]:
    fix = "" if sys.version_info >= (3, 11) else "install Python 3.11 or newer"
    yield Finding("python", platform.python_version(), fix)


def _packages() -> Iterator[Finding]:
    for name, module in _NEEDED.items():
        version = _version(name)
        if version and _there(module):
            yield Finding(name, version)
        else:
            yield Finding(name, "missing", f'pip install "{name}"')


def _pair() -> Iterator[Finding]:
    """A finding where jaxlib is of another release than jax."""
    jax, jaxlib = _version("jax"), _version("jaxlib")
    if jax and jaxlib and jax.split(".")[:2] != jaxlib.split(".")[:2]:
        yield Finding("jax and jaxlib", f"{jax} with {jaxlib}", f'pip install -U "jaxlib=={jax}"')


def _devices() -> Iterator[Finding]:
    try:
        check_flags(os.environ.get("XLA_FLAGS", ""))
    except UserError as error:  # jax would end this process
        yield Finding("devices", str(error), "correct XLA_FLAGS, or unset it")
        return
    try:
        import jax

        devices = jax.devices()
    except Exception as error:  # a broken installation fails in many ways
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        wanted = os.environ.get("JAX_PLATFORMS")
        fix = "unset JAX_PLATFORMS" if wanted else 'pip install -U "jax" "jaxlib"'
        first = f"JAX_PLATFORMS={wanted}: {first}" if wanted else first
        yield Finding("devices", first[:160], fix)
        return
    kind = devices[0]
    yield Finding("devices", f"{len(devices)} x {kind.platform} ({kind.device_kind})")
    if kind.platform == "cpu" and gpu_here():
        fix = 'pip install "dljax[gpu]"'
        if gpu_usable():
            fix = "unset JAX_PLATFORMS, or look at the driver with nvidia-smi"
        yield Finding("gpu", "there is one, and jax does not use it", fix)


def _writable(folder: Path) -> str:
    """The reason why a file cannot be made in a folder; "" where it can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"0" * 4096)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _folders() -> Iterator[Finding]:
    wrong = _writable(cache_folder())
    fix = "set XDG_CACHE_HOME to a folder that can be written" if wrong else ""
    yield Finding("cache", f"{cache_folder()}{': ' if wrong else ''}{wrong}", fix)
    data = tfds_folder()
    found = sorted(p.name for p in data.iterdir() if p.is_dir()) if data.is_dir() else []
    fix = ""
    if "TFDS_DATA_DIR" in os.environ and not data.is_dir():
        fix = "make that folder, or set TFDS_DATA_DIR to where prepared datasets lie"
    state = ", ".join(found) or ("empty" if data.is_dir() else "not there")
    yield Finding("TFDS data", f"{data}: {state}", fix)
    wrong = _writable(Path.cwd())
    fix = "go to a folder that can be written, or give --workdir" if wrong else ""
    yield Finding("runs", f"{Path.cwd() / 'runs'}{': ' if wrong else ''}{wrong}", fix)


_CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _python,
    _packages,
    _pair,
    _devices,
    _folders,
)


def main(argv: list[str]) -> int:
    """Run ``dljax doctor`` and return its exit status."""
    Parser("doctor", _DESCRIPTION, _EXAMPLES).parse_args(argv)
    wrong = 0
    for check in _CHECKS:
        for finding in check():
            mark = "WRONG" if finding.fix else "ok"
            print(f"{mark:5}  {finding.what:20} {finding.found}")
            if finding.fix:
                wrong += 1
                print(f"       fix: {finding.fix}")
    print(f"{wrong} wrong" if wrong else "nothing is wrong")
    return 1 if wrong else 0
