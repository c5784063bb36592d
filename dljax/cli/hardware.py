"""Devices of this machine, found without jax, which ends the process at a wrong flag."""

import importlib.util
import shutil
from pathlib import Path


def gpu_here() -> bool:
    """True where there is an NVIDIA GPU with its driver."""
    return Path("/dev/nvidia0").exists() or shutil.which("nvidia-smi") is not None


def gpu_usable() -> bool:
    """True where jax was installed with a plugin for GPUs."""
    return any(
        importlib.util.find_spec(name)
        for name in (
            "jax_cuda12_plugin",
            "jax_cuda13_plugin",
            "jax_rocm60_plugin",
            "jax_rocm7_plugin",
        )
    )


def tpu_here() -> bool:
    """True where there is a TPU with its library."""
    return importlib.util.find_spec("libtpu") is not None and (
        Path("/dev/accel0").exists() or Path("/dev/vfio/0").exists()
    )


def reachable(device: str) -> bool:
    """True where jax has a chance to find this kind of device here."""
    return {"gpu": gpu_here() and gpu_usable(), "tpu": tpu_here()}.get(device, True)
