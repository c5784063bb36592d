"""Python in a process of its own, as a user has it: one device, nothing loaded."""

import os
import subprocess
import sys


def environment(**changes: str) -> dict[str, str]:
    """A user's environment: without what conftest sets for the tests' own process."""
    return {k: v for k, v in os.environ.items() if k not in ("XLA_FLAGS", "DLJAX_PLAIN")} | changes


def python(*words, **changes) -> subprocess.CompletedProcess:
    words = [sys.executable, *map(str, words)]
    return subprocess.run(words, capture_output=True, text=True, env=environment(**changes))
