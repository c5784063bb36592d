"""dljax list: the architectures there are, and what is claimed of them."""

import json
import os
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from dljax import catalog
from dljax.cli.parsing import Parser
from dljax.runtime.profile import check_flags

SUMMARY = "the architectures, their variants, counts, levels, experiments and claims"
BEGIN, END = "<!-- dljax list --markdown -->", "<!-- end -->"  # around the tables in README.md

_DESCRIPTION = """Every architecture: its variants with their published numbers of trainable parameters,
its level (1 implemented, 2 learns real data, 3 parity with an independent implementation,
4 reproduces a published figure), the experiments that train it and their claims."""

_EXAMPLES = """
dljax list
dljax list --json
dljax list --markdown   as the tables in README.md: architectures, results
dljax list --counts     count every variant (takes a while: loads jax)
"""


def _counted(found: catalog.Architecture) -> dict[str, dict[str, int]]:
    os.environ.setdefault("JAX_PLATFORMS", "cpu")  # shapes need no device
    check_flags(os.environ.get("XLA_FLAGS", ""))
    from dljax import models
    from dljax.analysis.summary import counts

    file = import_module(found.module)
    out = {}
    for variant in found.variants:
        params, state = counts(models.build(file, variant), file.inputs(variant))
        out[variant] = {"params": params, "state": state}
    return out


def _row(found: catalog.Architecture, count: bool) -> dict[str, Any]:
    published = {v: {"params": found.published.get(v), "state": None} for v in found.variants}
    return {
        "name": found.name,
        "family": found.family,
        "paper": found.paper,
        "level": found.level,
        "variants": _counted(found) if count else published,
        "experiments": [_from_here(path) for path in found.experiments],
        "claims": [
            {
                "name": row.name,
                "expect": [str(expect) for expect in row.claim.expect],
                "published": row.claim.published,
                "measured": row.measured.values if row.measured else None,
                "holds": row.holds,
                "command": row.command(),
            }
            for row in found.claims
        ],
    }


def _from_here(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_absolute() and path.is_relative_to(here) else path)


def measured(row: catalog.Row) -> str:
    """A claim's means with their standard deviations and the number of seeds; "" for none."""
    found, parts = row.measured, []
    for metric in found.values if found else ():
        assert found
        deviation = found.deviation(metric)
        spread = "" if deviation is None else f" ± {deviation:.2g} ({len(found.seeds)} seeds)"
        parts.append(f"{metric} {found.mean(metric):#.4g}{spread}")
    return ", ".join(parts)


def _claimed(row: catalog.Row) -> str:
    parts = [*map(str, row.claim.expect), measured(row) or "not measured"]
    parts += [f"published: {row.claim.published}"] if row.claim.published else []
    return f"    {row.name:16} " + "; ".join(parts)


def _words(found: catalog.Architecture, row: dict[str, Any]) -> str:
    lines = [f"{row['name']}  ({row['family']}, level {row['level']})", f"    {row['paper']}"]
    for variant, n in row["variants"].items():
        params = "" if n["params"] is None else f"{n['params']:,} parameters"
        state = f" and {n['state']:,} of state" if n["state"] else ""
        lines.append(f"    {row['name']}:{variant:16} {params}{state}".rstrip())
    lines += [f"    {path}" for path in row["experiments"]]
    return "\n".join([*lines, *map(_claimed, found.claims)])


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _kind(name: str) -> str:
    room, _, what = name.partition(".")
    return what if room == "tasks" else f"{what} (rule)"


def markdown() -> str:
    """The tables of architectures and of claims, as README.md has them."""
    models = [
        (
            found.name,
            found.family,
            ", ".join(map(_kind, found.tasks)),
            ", ".join(f"{n:,} ({v})" for v, n in found.published.items() if v != "tiny"),
            found.level,
        )
        for found in catalog.architectures()
    ]
    claims = [
        (
            row.name,
            measured(row) or "not measured",
            row.claim.published or ", ".join(map(str, row.claim.expect)),
            f"`{row.command()}`",
        )
        for row in catalog.rows()
    ]
    return "\n\n".join(
        (
            _table(
                ("architecture", "family", "task or rule", "parameters (exact)", "level"), models
            ),
            _table(("claim", "measured", "published, or expected", "command"), claims),
        )
    )


def main(argv: list[str]) -> int:
    parser = Parser("list", _DESCRIPTION, _EXAMPLES)
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--markdown", action="store_true", help="as the tables of README.md")
    parser.add_argument(
        "--counts", action="store_true", help="count parameters and state from abstract shapes"
    )
    options = parser.parse_args(argv)
    if options.markdown:
        print(markdown())
        return 0
    found = catalog.architectures()
    rows = [_row(each, options.counts) for each in found]
    print(json.dumps(rows, indent=1) if options.json else "\n\n".join(map(_words, found, rows)))
    return 0
