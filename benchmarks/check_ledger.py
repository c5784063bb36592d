"""Check the claims of dljax/ledger.toml again, by running their commands.

    python benchmarks/check_ledger.py --list
    DLJAX_DATA=FOLDER TFDS_DATA_DIR=FOLDER python benchmarks/check_ledger.py check all
    python benchmarks/check_ledger.py check lenet gcn_cora

A claim's command runs in a fresh folder, and the result.json it leaves there is held to the claim:
``expected`` must be met, and the metric must lie within ``spread`` of ``measured`` where the claim
has a spread. A claim without ``metric`` holds when its command ends with status 0.

Commands say ``$DLJAX_DATA`` for the folder in which you keep data that dljax does not install (tiny
Shakespeare's input.txt, the Planetoid files, ...); prepared TFDS sets are looked for in
``TFDS_DATA_DIR``, as always.

Exit status: 0, every claim holds; 1, one does not; 2, no such claim, or none named.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import show

ROOT = Path(__file__).resolve().parents[1]
LEDGER = ROOT / "dljax" / "ledger.toml"


class Outcome(NamedTuple):
    """What a claim's command gave this time.

    Attributes:
        value: the metric's mean over seeds; None where the claim has no metric or the run failed.
        holds: whether the claim does.
        why: in words.
    """

    value: float | None
    holds: bool
    why: str


def read(path: Path = LEDGER) -> list[dict[str, Any]]:
    """The claims."""
    return tomllib.loads(path.read_text()).get("claim", [])


def bound(expected: str) -> tuple[str, float]:
    """(">=" or "<=", number) of a text such as ">= 0.97".

    Raises:
        ValueError: it is not of that form.
    """
    sign, _, value = expected.partition(" ")
    if sign not in (">=", "<="):
        raise ValueError(f"expected = {expected!r}: write '>= NUMBER' or '<= NUMBER'")
    return sign, float(value)


def meets(value: float, expected: str) -> bool:
    """Whether a value is on the right side of ``expected``."""
    sign, limit = bound(expected)
    return value >= limit if sign == ">=" else value <= limit


def chosen(claims: list[dict[str, Any]], names: list[str]) -> list[dict[str, Any]]:
    """The claims of these architectures or experiments (a path or its stem); "all" for every one.

    Raises:
        KeyError: a name that no claim has.
    """
    if names == ["all"]:
        return claims
    out = []
    for name in names:
        found = [
            claim
            for claim in claims
            if name in (claim["architecture"], claim["experiment"], Path(claim["experiment"]).stem)
        ]
        if not found:
            raise KeyError(name)
        out += [claim for claim in found if claim not in out]
    return out


def argv(command: str, workdir: Path) -> list[str]:
    """The program and its arguments: variables expanded, ``dljax`` and ``pytest`` run by this Python,
    the run's folder named.

    Raises:
        ValueError: a variable that is not set.
    """
    words = [os.path.expandvars(word) for word in shlex.split(command)]
    unset = [word for word in words if "$" in word]
    if unset:
        raise ValueError(f"{unset[0]}: set this variable to the folder of your data")
    if words[0] in ("dljax", "pytest"):
        folder = ["--workdir", str(workdir)] if words[0] == "dljax" else []
        words = [sys.executable, "-m", *words, *folder]
    return words


def measured(workdir: Path, metric: str) -> list[float]:
    """The metric's values, one per seed, in every result.json under a folder."""
    values: list[float] = []
    for path in sorted(workdir.rglob("result.json")):
        value = json.loads(path.read_text())["metrics"].get(metric, [])
        values += value if isinstance(value, list) else [value]
    return values


def judge(claim: dict[str, Any], status: int, values: list[float]) -> Outcome:
    """Hold a run to its claim."""
    if "metric" not in claim:
        return Outcome(None, status == 0, f"ended with status {status}")
    if status or not values:
        return Outcome(None, False, f"ended with status {status}, {len(values)} values")
    value = sum(values) / len(values)
    if not meets(value, claim["expected"]):
        return Outcome(value, False, f"not {claim['expected']}")
    difference = value - claim["measured"]
    if "spread" in claim and abs(difference) > claim["spread"]:
        return Outcome(value, False, f"{difference:+.4g} from measured, more than the spread")
    return Outcome(value, True, f"{difference:+.4g} from measured")


def check(claim: dict[str, Any]) -> Outcome:
    """Run a claim's command and judge the result."""
    with tempfile.TemporaryDirectory(prefix="dljax-ledger-") as folder:
        workdir = Path(folder) / "run"
        try:
            command = argv(claim["command"], workdir)
        except ValueError as error:
            return Outcome(None, False, str(error))
        print(f"$ {shlex.join(command)}", flush=True)
        status = subprocess.run(command, cwd=ROOT).returncode
        return judge(claim, status, measured(workdir, claim.get("metric", "")))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--list", action="store_true", help="show the claims and end")
    parser.add_argument("action", nargs="?", choices=["check"])
    parser.add_argument("names", nargs="*", help="architectures, experiments, or all")
    parser.add_argument("--out", default="", help="JSON file for the outcomes")
    options = parser.parse_args()
    claims = read()
    if options.list or options.action is None:
        header = ["architecture", "level", "metric", "expected", "published", "measured", "command"]
        rows = [[claim.get(key, "") for key in header] for claim in claims]
        print(show.table(header, rows))
        return 0
    if not options.names:
        parser.error("name what to check: architectures, experiments, or all (see --list)")
    try:
        claims = chosen(claims, options.names)
    except KeyError as error:
        print(f"no claim about {error}: see --list", file=sys.stderr)
        return 2
    rows, outcomes = [], []
    for claim in claims:
        begun = time.monotonic()
        outcome = check(claim)
        seconds = time.monotonic() - begun
        outcomes.append({**claim, "now": outcome._asdict(), "took": round(seconds, 1)})
        value = "" if outcome.value is None else f"{outcome.value:.5g}"
        rows.append(
            [
                Path(claim["experiment"]).stem,
                claim.get("metric", "status"),
                claim.get("expected", "0"),
                claim.get("measured", ""),
                value,
                "holds" if outcome.holds else "DOES NOT HOLD",
                outcome.why,
                f"{seconds:.0f}",
            ]
        )
    header = ["experiment", "metric", "expected", "measured", "now", "verdict", "", "seconds"]
    print(show.table(header, rows))
    show.write(options.out, {"machine": show.machine("jax", "flax"), "claims": outcomes})
    return 0 if all(claim["now"]["holds"] for claim in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
