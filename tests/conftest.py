"""Every test runs strictly: rank promotion raises, warnings are errors (pyproject.toml), eight devices
are made of the processor, and the models' shapes are checked.
"""

import gc
import itertools
import os
from pathlib import Path

# Before jax is imported: eight devices, no accelerator, and compilation that does not dwell on programs
# which run for a few steps (test_resume's runs, in processes of their own, are compiled as users' are).
os.environ["JAX_PLATFORMS"] = "cpu"
# A loop emitter of LLVM's compiles in two thirds of the time of MLIR's.
os.environ["XLA_FLAGS"] = " ".join(
    (
        "--xla_force_host_platform_device_count=8",
        "--xla_backend_optimization_level=0",
        "--xla_cpu_use_fusion_emitters=false",
    )
)
os.environ.pop("TFDS_DATA_DIR", None)
# Layers in XLA's own form compile in half the time. test_forms holds the others to them; test_parity runs
# whole networks in them, as do the runs in processes of their own of test_resume, test_cli and others.
os.environ["DLJAX_PLAIN"] = "1"

import jax
import pytest
from jaxtyping import install_import_hook

jax.config.update("jax_numpy_rank_promotion", "raise")
# Shared by all tests, by the workers and by later runs.
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dljax" / "compiled"
jax.config.update("jax_compilation_cache_dir", str(CACHE))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)

# Tracing makes many small objects, and few of them are cycles.
gc.set_threshold(100_000, 50, 50)

install_import_hook("dljax.models", "beartype.beartype")
install_import_hook("dljax.nn", "beartype.beartype")

ROOT = Path(__file__).parents[1]
# A compiled program holds memory in a dozen mappings, of which Linux gives a process 65,530, and each of
# two workers would grow to 8 GB.
MAPPINGS = Path("/proc/self/maps")
MANY = 12_000
_tests = itertools.count()


def pytest_runtest_teardown(item, nextitem):
    """Drop the programs of the tests before, where there are many; those of use are read back from disk."""
    if next(_tests) % 8 == 0 and MAPPINGS.exists() and MAPPINGS.read_bytes().count(b"\n") > MANY:
        jax.clear_caches()
        gc.collect()


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def fast_forms(monkeypatch):
    """Layers in the forms that users run."""
    monkeypatch.delenv("DLJAX_PLAIN")


@pytest.fixture
def key():
    return jax.random.key(0)


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Run a command line in an empty folder: (exit status, its output, its errors)."""
    from dljax.cli.main import main

    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        return (main(list(words)), *capsys.readouterr())

    return run
