"""The claims of the experiment files, held again to what they expect and to dljax/ledger.toml.

    python benchmarks/check_ledger.py list
    DLJAX_DATA=FOLDER TFDS_DATA_DIR=FOLDER python benchmarks/check_ledger.py check all
    python benchmarks/check_ledger.py check lenet gcn:cora
    python benchmarks/check_ledger.py measure lenet:mnist --seeds 0:3
    python benchmarks/check_ledger.py measure gcn:cora --data cora --keep runs/ledger
    python benchmarks/check_ledger.py readme

A name is a file's stem with a claim after a colon, or the stem, the path or an architecture for all
claims of theirs; ``gpt:parity`` is an architecture's row about parity, ``all`` every row of the ledger.

``check`` trains a claim, with the seeds of its row in the ledger, in a fresh folder. The mean over the seeds
must meet what the file expects, and must not differ from the row's by more than its standard deviation over
seeds, where it has several. A row about parity holds when its tests pass.

``measure`` writes what it finds into the ledger. It refuses code that differs from the last commit, as
that is what the row names. ``readme`` writes the tables of README.md from files and ledger.

Data that dljax does not install (tiny Shakespeare's input.txt, the Planetoid files, ...) lie in folders of
``DLJAX_DATA``; prepared TFDS sets are looked for in ``TFDS_DATA_DIR``, as always.

Exit status: 0, every claim holds; 1, one does not; 2, no such claim, or none named.
"""

import argparse
import datetime
import json
import math
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import show

from dljax import catalog
from dljax.catalog import Ledger, Measured, Parity, Row
from dljax.cli import listing

ROOT = Path(__file__).resolve().parents[1]
LEDGER = ROOT / "dljax" / "ledger.toml"

_HEAD = """\
# Every number that was measured for a claim, written by `python benchmarks/check_ledger.py measure`. What is
# expected and what was published is in the CLAIMS of the experiment's file. A list of values has one number
# for each of `seeds`, and `data` is a folder in $DLJAX_DATA. Seconds were taken on machines that did other
# things beside.
"""


class Outcome(NamedTuple):
    """A claim's result of this time.

    Attributes:
        value: the first expected metric's mean over seeds; None where there is none.
        holds: whether the claim does.
        why: in words.
    """

    value: float | None
    holds: bool
    why: str


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{json.dumps(key)} = {_toml(each)}" for key, each in value.items())
        return f"{{ {inner} }}"
    if isinstance(value, datetime.date):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False)


def written(ledger: Ledger) -> str:
    """The text of ledger.toml: rows sorted by name, empty fields left out."""
    parts = [_HEAD]
    for kind, rows in ledger._asdict().items():
        for row in sorted(rows, key=lambda row: row[:2]):
            fields = {key: value for key, value in row._asdict().items() if value != ""}
            parts.append(
                f"[[{kind}]]\n" + "".join(f"{k} = {_toml(v)}\n" for k, v in fields.items())
            )
    return "\n".join(parts)


def chosen(names: Sequence[str]) -> list[Row | Parity]:
    """The rows of these names.

    Raises:
        KeyError: a name that no claim has.
    """
    rows, parity = catalog.rows(), catalog.ledger().parity
    named: dict[str, list[Row | Parity]] = {"all": [row for row in rows if row.measured]}
    for row in rows:
        for name in (row.name, Path(row.file).stem, row.file):
            named.setdefault(name, []).append(row)
    for found in catalog.architectures():
        named[found.name] = [*named.get(found.name, ()), *found.claims]
    for equal in parity:
        named[f"{equal.architecture}:parity"] = [equal]
        named.setdefault(equal.architecture, []).append(equal)
        named["all"].append(equal)
    out: list[Row | Parity] = []
    for name in names:
        for row in named[name]:
            if row not in out:  # a file and its architecture may have one name
                out.append(row)
    return out


def argv(command: str, *more: str) -> list[str]:
    """The program and its arguments: variables expanded, ``dljax`` and ``pytest`` run by this Python.

    Raises:
        ValueError: a variable that is not set.
    """
    words = [os.path.expandvars(word) for word in shlex.split(command)]
    unset = [word for word in words if "$" in word]
    if unset:
        raise ValueError(f"{unset[0]}: set this variable to the folder of your data")
    return [sys.executable, "-m", *words, *more]


def results(workdir: Path) -> dict[str, list[float]]:
    """Metric -> one value per seed, of the run or the sweep in a folder."""
    if (workdir / "sweep.json").is_file():
        (row,) = json.loads((workdir / "sweep.json").read_text())
        return {metric: found["values"] for metric, found in row["metrics"].items()}
    found = json.loads((workdir / "result.json").read_text())["metrics"]
    return {
        metric: value if isinstance(value, list) else [value] for metric, value in found.items()
    }


def seeds(words: str) -> list[int]:
    """Those of a text: a:b or a,b.

    Raises:
        ValueError: it is neither.
    """
    low, colon, high = words.partition(":")
    return list(range(int(low), int(high))) if colon else [int(word) for word in words.split(",")]


def run(row: Row, options: argparse.Namespace, workdir: Path) -> Measured | str:
    """The row of a claim that is trained now, or why there is none.

    Args:
        workdir: a folder that is not there yet.
    """
    old, claimed = row.measured, row.claim.swept.get("seed")
    if claimed and options.seeds:
        return f"it is about --seed {claimed}: leave out --seeds"
    by = seeds(claimed) if claimed else options.seeds or (old.seeds if old else [0])
    data = options.data or (old.data if old else "")
    try:
        command = argv(row.command(by, data), "--on", options.on, "--workdir", str(workdir))
    except ValueError as error:
        return str(error)
    print(f"$ {shlex.join(command)}", flush=True)
    begun = time.monotonic()
    status = subprocess.run(command, cwd=ROOT).returncode
    seconds = round(time.monotonic() - begun)
    if status:
        return f"ended with status {status}"
    found = results(workdir)
    # Six digits: another machine has others behind them.
    values = {
        e.metric: [float(f"{value:.6g}") for value in found.get(e.metric, [])]
        for e in row.claim.expect
    }
    if not all(values.values()):
        return f"not measured: {', '.join(metric for metric in values if not values[metric])}"
    machine = show.machine()
    cores = f"{machine['cores']} core{'s' * (machine['cores'] > 1)} of {machine['processor']}"
    where = (commit(), datetime.date.today(), seconds, cores, options.on, data)
    return Measured(row.file, row.claim.name, values, by, *where)


def judge(row: Row, now: Measured | str, again: bool = True) -> Outcome:
    """Hold what was measured now to the claim.

    Args:
        again: hold it to the row in the ledger too, which else it takes the place of.
    """
    if isinstance(now, str):
        return Outcome(None, False, now)
    words, value = [], None
    for expect in row.claim.expect:
        mean = now.mean(expect.metric)
        value = mean if value is None else value
        if not expect.holds(mean):
            return Outcome(mean, False, f"not {expect}")
        if row.measured:
            difference = mean - row.measured.mean(expect.metric)
            words.append(f"{difference:+.4g} from the ledger's")
            if again and abs(difference) > (row.measured.deviation(expect.metric) or math.inf):
                return Outcome(mean, False, f"{words[-1]}, more than its spread")
    return Outcome(value, bool(row.claim.expect), ", ".join(words) or "not in the ledger")


def git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True).stdout.strip()


def commit() -> str:
    return git("rev-parse", "--short=12", "HEAD")


def changed() -> str:
    """The files of code that differ from the last commit; the ledger is none."""
    rooms = ("dljax", "experiments", "configs", ":(exclude)dljax/ledger.toml")
    return git("status", "--porcelain", "--", *rooms)


def store(row: Measured | Parity) -> None:
    """Put a row into the ledger, in the place of the old one."""
    old = catalog.ledger(LEDGER)
    if isinstance(row, Parity):
        parity = [each for each in old.parity if each.architecture != row.architecture]
        ledger = old._replace(parity=[*parity, row])
    else:
        others = [each for each in old.measured if each[:2] != row[:2]]
        ledger = old._replace(measured=[*others, row])
    LEDGER.write_text(written(ledger), encoding="utf-8")


def write_readme() -> None:
    """The tables of README.md, made anew."""
    path = ROOT / "README.md"
    text = path.read_text(encoding="utf-8")
    block = re.compile(re.escape(listing.BEGIN) + ".*?" + re.escape(listing.END), re.S)
    made = f"{listing.BEGIN}\n\n{listing.markdown()}\n\n{listing.END}"
    path.write_text(block.sub(lambda _: made, text), encoding="utf-8")


def one(row: Row | Parity, options: argparse.Namespace, folder: Path) -> list[Any]:
    """Check or measure; the cells of its line."""
    begun, measuring = time.monotonic(), options.action == "measure"
    if isinstance(row, Parity):
        status = subprocess.run(argv(row.test), cwd=ROOT).returncode
        outcome = Outcome(None, not status, f"ended with status {status}")
        cells = [f"{row.architecture}:parity", "equal outputs", ""]
        if measuring and not status:
            store(row._replace(commit=commit(), date=datetime.date.today()))
    else:
        now = run(row, options, folder / row.name.replace(":", "-"))
        outcome = judge(row, now, again=not measuring)
        cells = [row.name, ", ".join(map(str, row.claim.expect)), listing.measured(row)]
        if measuring and isinstance(now, Measured):
            store(now)
    value = "" if outcome.value is None else f"{outcome.value:.5g}"
    verdict = "holds" if outcome.holds else "DOES NOT HOLD"
    return [*cells, value, verdict, outcome.why, f"{time.monotonic() - begun:.0f}"]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["list", "check", "measure", "readme"])
    parser.add_argument("names", nargs="*", help="claims, files, architectures, or all")
    parser.add_argument("--seeds", type=seeds, help="a:b or a,b (default: those of the ledger)")
    parser.add_argument("--data", default="", help="a folder in DLJAX_DATA for --data")
    parser.add_argument("--on", default="cpu", metavar="PROFILE", help="default: cpu")
    parser.add_argument("--keep", type=Path, help="folder to keep the runs in")
    parser.add_argument("--out", default="", help="JSON file for the outcomes")
    options = parser.parse_args()
    if options.action == "readme":
        write_readme()
        return 0
    if options.action == "list":
        rows = [[row.name, listing.measured(row), row.command()] for row in catalog.rows()]
        print(show.table(["claim", "measured", "command"], rows))
        return 0
    if not options.names:
        parser.error("name claims, files, architectures, or all (see list)")
    try:
        claims = chosen(options.names)
    except KeyError as error:
        print(f"no claim about {error}: see list", file=sys.stderr)
        return 2
    if options.action == "measure" and changed():
        print("the code differs from the last commit: commit it, then measure", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="dljax-ledger-") as folder:
        kept = Path(options.keep or folder).absolute()
        rows = [one(row, options, kept) for row in claims]
    header = ["claim", "expected", "in the ledger", "now", "verdict", "why", "seconds"]
    print(show.table(header, rows))
    outcomes = [dict(zip(header, row, strict=True)) for row in rows]
    show.write(options.out, {"machine": show.machine("jax", "flax"), "claims": outcomes})
    return 0 if all(row[4] == "holds" for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
