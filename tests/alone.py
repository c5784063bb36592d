"""Python in a process of its own, as a user has it: one device, nothing loaded."""

import os
import subprocess
import sys


def python(*words, **environment) -> subprocess.CompletedProcess:
    kept = {k: v for k, v in os.environ.items() if k not in ("XLA_FLAGS", "DLJAX_PLAIN")}
    words = [sys.executable, *map(str, words)]
    return subprocess.run(words, capture_output=True, text=True, env={**kept, **environment})
