"""The command dljax describe: a network's layers, with their shapes and counts."""

import json
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dljax import catalog
from dljax.cli.modules import shapes_of
from dljax.cli.opening import open_experiment
from dljax.cli.parsing import Parser, parse_with_knobs, take_target
from dljax.cli.runs import add_now, experiment_of_run, opened_elsewhere, read_record
from dljax.errors import UserError, nearest
from dljax.runtime.profile import check_flags

if TYPE_CHECKING:
    from dljax.analysis.summary import Layer
    from dljax.experiment import Experiment

SUMMARY = "the layers of a model or an experiment, with shapes and counts"

_DESCRIPTION = """The layers of a model (a name of `dljax list`, with a variant after a colon) or of the
networks of an experiment FILE or of a RUN, with output shapes and numbers of parameters."""

_EXAMPLES = """
dljax describe lenet
dljax describe lenet:tiny --json
dljax describe experiments/convnets/lenet.py --batch 32
dljax describe runs/lenet-1a2b3c4d
"""


def _of_model(word: str) -> tuple[str, list["Layer"], dict[str, Any]]:
    name, _, variant = word.partition(":")
    known = {found.name: found for found in catalog.architectures()}
    if name not in known:
        raise UserError(f"no model {name!r}: {nearest(name, known)} (see dljax list)")
    found = known[name]
    full = [v for v in found.variants if v != "tiny"]
    variant = variant or next(iter(found.published), (full or ["tiny"])[0])
    import jax

    from dljax import models
    from dljax.analysis.summary import counts, initialize, layers

    file = import_module(found.module)
    module, inputs = models.build(file, variant), file.inputs(variant)
    rows = layers(initialize(module), jax.random.key(0), inputs)
    params, state = counts(module, inputs)
    return f"{name}:{variant}", rows, {"params": params, "state": state}


def _of_experiment(experiment: "Experiment") -> tuple[list["Layer"], dict[str, Any]]:
    import jax

    from dljax.analysis.summary import layers, size

    phase = experiment.phases[-1]
    batch = shapes_of(phase)
    rows = layers(phase.learner.init, jax.random.key(0), batch)
    state = jax.eval_shape(phase.learner.init, jax.random.key(0), batch)
    totals = {
        "params": size(state.params),
        "state": size(state.extra),
        "optimizer": size(state.opt),
        "average": size(state.ema),
    }
    return rows, totals


def _table(title: str, rows: list["Layer"], totals: dict[str, Any], depth: int) -> str:
    cells = [("layer", "kind", "output", "parameters", "state")]
    for row in rows:
        if len(row.path) > depth:
            continue
        inner = bool(row.path)
        name = "  " * (len(row.path) - 1) + row.path[-1] if inner else row.kind
        shape = "x".join(map(str, row.shape)) or "scalar"
        is_glue = row.path == ("-",)
        numbers = ("", "") if is_glue else (f"{row.params:,}", f"{row.state:,}" * bool(row.state))
        cells.append(("  " * inner + name, row.kind if inner else "", shape, *numbers))
    widths = [max(len(row[i]) for row in cells) for i in range(5)]
    lines = [title]
    for cell in cells:
        left = "  ".join(f"{c:{w}}" for c, w in zip(cell[:3], widths[:3], strict=True))
        right = "  ".join(f"{c:>{w}}" for c, w in zip(cell[3:], widths[3:], strict=True))
        lines.append(f"{left}  {right}".rstrip())
    words = {"params": "trainable parameters", "state": "of other state"}
    words |= {"optimizer": "of optimizer", "average": "in the moving average"}
    lines.append(", ".join(f"{n:,} {words[k]}" for k, n in totals.items() if n or k == "params"))
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    """Run ``dljax describe`` and return its exit status."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")  # shapes need no device
    parser = Parser("describe", _DESCRIPTION, _EXAMPLES)
    parser.add_argument("--json", action="store_true", help="as JSON, every layer")
    parser.add_argument("--levels", type=int, default=2, help="levels of layers shown (default: 2)")
    check_flags(os.environ.get("XLA_FLAGS", ""))
    target = take_target(parser, argv, "file", "run", "model")
    if target.kind == "file":
        options, path, knobs, words = parse_with_knobs(parser, [target.word, *target.rest])
        title = str(path)
        made = open_experiment(path, knobs.resolve(words, options.claim))
        rows, totals = _of_experiment(made)
    elif target.kind == "run":
        add_now(parser)
        options, title, run = parser.parse_args(target.rest), target.word, Path(target.word)
        record = read_record(run)
        status = opened_elsewhere("describe", argv, run, record, options.now)
        if status is not None:
            return status
        rows, totals = _of_experiment(experiment_of_run(run, record, {}))
    else:
        options = parser.parse_args(target.rest)
        title, rows, totals = _of_model(target.word)
    if options.json:
        listed = [{**row._asdict(), "path": "/".join(row.path)} for row in rows]
        print(json.dumps({"name": title, "layers": listed, **totals}, indent=1))
    else:
        print(_table(title, rows, totals, options.levels))
    return 0
