"""Whether the tests see: one-line faults are put into a copy of the code, one at a time.

    python benchmarks/faults.py
    python benchmarks/faults.py --only adversarial statistics

Each row of faults.txt is a plausible mistake with the tests that concern it; their expected values are
by hand or from another implementation, so they must fail. Takes about ten minutes on a core; exits
with 1 where a fault was not seen, or where its line is not in the code any more.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]


class Fault(NamedTuple):
    file: str
    tests: tuple[str, ...]
    name: str
    old: str
    new: str


def table(text: str) -> list[Fault]:
    """The faults of a table: blocks of a file and its tests, then name, "- old", "+ new" of each."""
    faults = []
    for block in text.strip().split("\n\n"):
        (file, *tests), *rows = block.splitlines()[0].split(), *block.splitlines()[1:]
        for name, old, new in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
            assert old.startswith("- ") and new.startswith("+ "), name
            faults.append(Fault(file, tuple(tests), name, old[2:], new[2:]))
    return faults


def seen(fault: Fault) -> str:
    """ "seen", "NOT SEEN", or what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        leave = shutil.ignore_patterns(".*", "__pycache__", "runs")
        shutil.copytree(ROOT, copy, ignore=leave)
        text = (copy / fault.file).read_text(encoding="utf-8")
        if text.count(fault.old) != 1:
            return f"OUT OF DATE: {text.count(fault.old)} such lines in {fault.file}"
        (copy / fault.file).write_text(text.replace(fault.old, fault.new), encoding="utf-8")
        words = ("pytest", "-x", "-n", "0", "-p", "no:cacheprovider", *fault.tests)
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=copy,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
    return {0: "NOT SEEN", 1: "seen"}.get(done.returncode, f"pytest ended with {done.returncode}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=[""], help="words of a fault's file or name")
    only = parser.parse_args().only
    faults = table(Path(__file__).with_suffix(".txt").read_text(encoding="utf-8"))
    faults = [f for f in faults if any(word in f"{f.file} {f.name}" for word in only)]
    count = 0
    for fault in faults:
        found = seen(fault)
        count += found == "seen"
        print(f"{found:8}  {Path(fault.file).stem}: {fault.name}", flush=True)
    print(f"{count} of {len(faults)} seen")
    return 0 if count == len(faults) else 1


if __name__ == "__main__":
    sys.exit(main())
