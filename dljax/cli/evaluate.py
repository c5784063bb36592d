"""The command dljax eval: a checkpoint's metrics, and the verdict."""

import sys
from pathlib import Path
from typing import Any

from dljax.cli.opening import start
from dljax.cli.parsing import Parser, add_run_options, parse_with_knobs, take_target
from dljax.cli.runs import (
    add_now,
    add_which,
    experiment_of_run,
    open_checkpoint,
    opened_elsewhere,
    read_record,
)
from dljax.code import Origin, default_workdir, made_last
from dljax.errors import UserError
from dljax.runtime.profile import load_profile

SUMMARY = "measure a checkpoint, against what the experiment expects"

_DESCRIPTION = """Measure the newest checkpoint of a run, its best, or that of a step. Name the run's
folder, or the experiment FILE with the knobs it was trained with."""

_EXAMPLES = """
dljax eval runs/lenet-1a2b3c4d
dljax eval runs/lenet-1a2b3c4d --best
dljax eval experiments/convnets/lenet.py --step 500
"""


def _table(metrics: dict[str, Any]) -> str:
    import numpy as np

    rows = []
    for name in sorted(metrics):
        values = np.atleast_1d(metrics[name])
        spread = f" +- {values.std(ddof=1):.2g} (n = {len(values)})" if len(values) > 1 else ""
        rows.append((name, f"{values.mean():.5g}{spread}"))
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{name:{width}}  {value}" for name, value in rows)


def main(argv: list[str]) -> int:
    """Run ``dljax eval`` and return its exit status."""
    parser = Parser("eval", _DESCRIPTION, _EXAMPLES)
    add_run_options(parser)
    add_which(parser)
    add_now(parser)
    words: dict[str, Any] = {}
    target = take_target(parser, argv, "file", "run")
    if target.kind == "file":
        options, file, knobs, words = parse_with_knobs(parser, [target.word, *target.rest])
        origin = Origin.of_file(file, knobs.resolve(words, options.claim))
        path = options.workdir or default_workdir(origin)
        if not path.exists() and (last := made_last(path, origin.name, origin.knobs)):
            raise UserError(
                f"{path} does not exist: name {last[0]}, of the same knobs and other code"
            )
        record = read_record(path)
        if record["experiment"] != origin.name:
            raise UserError(f"{path} is a run of {record['experiment']}, not of {origin.name}")
    else:
        options, path = parser.parse_args(target.rest), Path(target.word)
        record = read_record(path)
        if options.workdir:
            raise UserError(
                "--workdir goes with an experiment FILE: a run's folder is named already"
            )
    status = opened_elsewhere("eval", argv, path, record, options.now)
    if status is not None:
        return status
    profile = load_profile(options.on)
    start(profile)
    from dljax.runtime.measure import evaluate, newest, told
    from dljax.runtime.rundir import data_differs, read_metrics

    experiment = experiment_of_run(path, record, words)
    if changed := data_differs(record.get("data", {}), experiment.fingerprints()):
        print(f"{path}: the data has changed since it was trained: {changed}", file=sys.stderr)
    opened = open_checkpoint(experiment, path, profile, options.step, options.best)
    found = evaluate(opened.executor, opened.phase, opened.state)
    measured = {opened.prefix + name: value for name, value in found.items()}
    rows = [row for row in read_metrics(path) if row["step"] <= opened.step]
    claim = experiment.claim
    expected = {e.metric: e for e in claim.expect} if claim else {}
    metrics = {k: v for k, v in newest(rows).items() if k in expected} | measured
    print(f"{path}, step {opened.step}")
    print(_table(metrics))
    for line in told(experiment, metrics):
        print(line)
    return 0
