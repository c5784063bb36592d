"""``python tests/check.py``: all checks, in the order of their speed. Run it in a checkout."""

import subprocess
import sys

COMMANDS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("pytest",),
    ("pytest", "-m", "deep"),
)


def main() -> int:
    failed = []
    for command in COMMANDS:
        print("$", *command, flush=True)
        if subprocess.run([sys.executable, "-m", *command]).returncode:
            failed.append(" ".join(command))
    print("failed: " + ", ".join(failed) if failed else "all checks passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
