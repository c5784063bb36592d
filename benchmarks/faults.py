"""Whether the tests see: one-line faults are put into a copy of the code, one at a time.

    python benchmarks/faults.py
    python benchmarks/faults.py --only adversarial statistics

Each row of faults.txt is a plausible mistake with the tests that concern it; their expected values are
by hand or from another implementation, so they must fail. Takes about fifteen minutes on a core; exits
with 1 where a fault was not seen, or its line is not in the code any more.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
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


def run(tests: Iterable[str], fault: Fault | None = None) -> int:
    """pytest's exit status in a copy of the code with that fault."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "runs"))
        if fault:
            text = (copy / fault.file).read_text(encoding="utf-8")
            if text.count(fault.old) != 1:
                sys.exit(
                    f"{fault.name}: {text.count(fault.old)} times in {fault.file}, expected once"
                )
            changed = text.replace(fault.old, fault.new)
            (copy / fault.file).write_text(changed, encoding="utf-8")
        words = [sys.executable, "-m", "pytest", "-x", "-n", "0", "-p", "no:cacheprovider", *tests]
        settings = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(words, cwd=copy, capture_output=True, env=settings).returncode


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=[""], help="words of a fault's file or name")
    only = parser.parse_args().only
    faults = table(Path(__file__).with_suffix(".txt").read_text(encoding="utf-8"))
    faults = [f for f in faults if any(word in f"{f.file} {f.name}" for word in only)]
    if run(sorted({test for fault in faults for test in fault.tests})):
        sys.exit("these tests fail without a fault: mend them first")
    count = 0
    for fault in faults:
        status = run(fault.tests, fault)
        count += status == 1
        found = {0: "NOT SEEN", 1: "seen"}.get(status, f"pytest ended with {status}")
        print(f"{found:8}  {Path(fault.file).stem}: {fault.name}", flush=True)
    print(f"{count} of {len(faults)} seen")
    return 0 if count == len(faults) else 1


if __name__ == "__main__":
    sys.exit(main())
