"""The command dljax list: all architectures."""

import json
import os
from importlib import import_module
from pathlib import Path
from typing import Any

from dljax import catalog
from dljax.cli.parsing import Parser
from dljax.runtime.profile import check_flags

SUMMARY = "the architectures, their variants, counts, levels and experiments"

_DESCRIPTION = """Every architecture: its variants with their published numbers of trainable parameters,
its level (1 implemented, 2 learns real data, 3 parity with an independent implementation,
4 reproduces a published figure) and the experiments that train it."""

_EXAMPLES = """
dljax list
dljax list --json
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
    }


def _from_here(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_absolute() and path.is_relative_to(here) else path)


def _words(row: dict[str, Any]) -> str:
    lines = [f"{row['name']}  ({row['family']}, level {row['level']})", f"    {row['paper']}"]
    for variant, n in row["variants"].items():
        params = "" if n["params"] is None else f"{n['params']:,} parameters"
        state = f" and {n['state']:,} of state" if n["state"] else ""
        lines.append(f"    {row['name']}:{variant:16} {params}{state}".rstrip())
    return "\n".join(lines + [f"    {path}" for path in row["experiments"]])


def main(argv: list[str]) -> int:
    """Run ``dljax list`` and return its exit status."""
    parser = Parser("list", _DESCRIPTION, _EXAMPLES)
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument(
        "--counts", action="store_true", help="count parameters and state from abstract shapes"
    )
    options = parser.parse_args(argv)
    rows = [_row(found, options.counts) for found in catalog.architectures()]
    print(json.dumps(rows, indent=1) if options.json else "\n\n".join(map(_words, rows)))
    return 0
