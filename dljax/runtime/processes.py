"""Several processes as one run: joining them, settings of jax, copies of a state on this host."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import jax
import numpy as np
from jax.experimental.compilation_cache.compilation_cache import reset_cache

from dljax.errors import UserError
from dljax.folders import cache_folder
from dljax.runtime.launch import COORDINATOR, COUNT, INDEX
from dljax.runtime.profile import Profile
from dljax.types import PyTree


@lru_cache(maxsize=1)
def _join() -> None:
    """Join the other processes of a launch (``dljax launch``, or srun), once, before any device."""
    heartbeat = 15  # seconds until a silent peer counts as dead
    if COORDINATOR in os.environ:
        jax.distributed.initialize(
            coordinator_address=os.environ[COORDINATOR],
            num_processes=int(os.environ[COUNT]),
            process_id=int(os.environ[INDEX]),
            heartbeat_timeout_seconds=heartbeat,
        )
    elif "SLURM_PROCID" in os.environ:
        tasks = os.environ.get("SLURM_NTASKS", "1")
        if not tasks.isdecimal():
            raise UserError(
                f"SLURM_NTASKS={tasks}: expected a whole number; unset SLURM_PROCID to run as one process"
            )
        if int(tasks) > 1:
            _join_slurm(heartbeat)


def _join_slurm(heartbeat: int) -> None:
    try:
        jax.distributed.initialize(heartbeat_timeout_seconds=heartbeat)
    except (KeyError, ValueError, IndexError) as error:  # from jax's reading of the environment
        raise UserError(
            f"Slurm's variables do not tell this process of the others ({error!r}); unset SLURM_PROCID "
            "to run as one process"
        ) from None


def _keep_freed_memory() -> None:
    """Have malloc keep what a step frees for the next step, where it is glibc's.

    By default glibc hands large blocks back to the kernel, which clears their pages anew each step:
    240 page faults of a LeNet's step on CPU, 12,000 of a char GPT's, in some runs and not in others.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        m_trim_threshold, m_mmap_max, m_arena_max = -1, -4, -8  # malloc.h
        mallopt(m_trim_threshold, 2**31 - 1)
        mallopt(m_mmap_max, 0)
        mallopt(m_arena_max, 1)  # heaps of other arenas are unmapped when they become empty


def _settings(profile: Profile) -> dict[str, Any]:
    """Settings of jax that a profile wants otherwise.

    A setting that the caller made stands, except where the profile names a folder.
    """
    wanted: dict[str, Any] = {"jax_debug_nans": True} if profile.debug_nans else {}
    named: Any = jax.config
    mine = profile.compilation_cache or named.jax_compilation_cache_dir is None
    if profile.compilation_cache != "off" and mine:
        folder = profile.compilation_cache or str(cache_folder() / "compiled")
        wanted["jax_compilation_cache_dir"] = folder
        seconds = "jax_persistent_cache_min_compile_time_secs"
        if getattr(jax.config, seconds) == 1.0 and seconds.upper() not in os.environ:  # jax's own
            wanted[seconds] = 0.3
    return {name: x for name, x in wanted.items() if getattr(jax.config, name) != x}


def _set(settings: dict[str, Any]) -> None:
    for name, value in settings.items():
        jax.config.update(name, value)
    if any("cache" in name for name in settings):
        reset_cache()  # jax reads these settings once, at the first compilation


@contextmanager
def prepared(profile: Profile) -> Iterator[None]:
    """Prepare this process (see ``prepare``), and restore jax's settings at the end."""
    settings = _settings(profile)
    before = {name: getattr(jax.config, name) for name in settings}
    prepare(profile)
    try:
        yield
    finally:
        _set(before)


def prepare(profile: Profile) -> None:
    """Make this process fit for a profile: peers joined, caches set, memory kept.

    Raises:
        UserError: the profile needs environment variables that must precede jax's start.
    """
    _join()
    _keep_freed_memory()
    flags = os.environ.get("XLA_FLAGS", "")
    missing = [f for f in profile.environment().get("XLA_FLAGS", "").split() if f not in flags]
    if missing:
        raise UserError(
            f"profile {profile.name!r} needs XLA_FLAGS={' '.join(missing)!r} before jax starts: use "
            "the dljax command, or set it in the environment"
        )
    _set(_settings(profile))


def local_copy(tree: PyTree) -> PyTree:
    """Copy a tree to this process, every array whole; all processes must call it."""
    if jax.process_count() == 1:
        return tree
    from jax.experimental import multihost_utils

    def one(x):
        if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(one(jax.random.key_data(x)))
        if x.is_fully_replicated:
            return np.asarray(x.addressable_data(0))
        return multihost_utils.process_allgather(x, tiled=True)

    return jax.tree.map(one, tree)
