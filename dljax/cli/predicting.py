"""The command dljax predict: a run's classes for image files."""

import json
from pathlib import Path
from typing import Any

from dljax.cli.image_files import examples_of, files_of
from dljax.cli.parsing import Parser, take_target
from dljax.cli.runs import (
    add_now,
    add_which,
    open_run,
    opened_elsewhere,
    read_record,
)
from dljax.errors import UserError

SUMMARY = "classify image files with a run"

_DESCRIPTION = """Classify image files with a run's newest checkpoint. They take the way of its evaluation's
images: the same size, the same transforms. Of a folder, every image in it is taken, and in the
folders in it."""

_EXAMPLES = """
dljax predict runs/lenet-1a2b3c4d seven.png
dljax predict runs/mobilenet photos --top 3
dljax predict runs/mobilenet photos/*.jpg --json > found.jsonl
"""


def main(argv: list[str]) -> int:
    """Run ``dljax predict`` and return its exit status."""
    parser = Parser("predict", _DESCRIPTION, _EXAMPLES)
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="a file or a folder")
    parser.add_argument("--top", type=int, default=5, help="classes shown (default: 5)")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each file")
    parser.add_argument("--on", metavar="PROFILE", help="where it runs")
    add_which(parser)
    add_now(parser)
    target = take_target(parser, argv, "run")
    options, path = parser.parse_args(target.rest), Path(target.word)
    record = read_record(path)
    if options.top < 1:
        raise UserError(f"--top {options.top}: expected a whole number above 0")
    status = opened_elsewhere("predict", argv, path, record, options.now)
    if status is not None:
        return status
    opened = open_run(path, record, options)
    import jax
    import numpy as np

    learner = opened.executor.learner
    if learner.predict is None or not opened.phase.evals:
        raise UserError(f"{path} is a run of a model that predicts nothing: dljax sample shows it")
    data = next(iter(opened.phase.evals.values()))
    files = files_of(options.images)
    size = min(opened.executor.eval_rows, len(files))
    variables, names = learner.chosen(opened.state), getattr(data.source, "names", ())
    predict = jax.jit(learner.predict)
    for first in range(0, len(files), size):
        some = files[first : first + size]
        rows = examples_of(some, data, "predict")
        missing = size - len(some)  # one shape, one program
        batch = {k: np.concatenate([x, np.repeat(x[-1:], missing, 0)]) for k, x in rows.items()}
        logits: Any = predict(variables, batch)
        if not isinstance(logits, jax.Array) or logits.ndim != 2:
            raise UserError(f"{path} is a run of no classifier: dljax sample shows it")
        chance = np.asarray(jax.nn.softmax(logits.astype(np.float32)))
        for file, row in zip(some, chance[: len(some)], strict=True):
            best = np.argsort(-row, kind="stable")[: options.top]
            found = [
                {
                    "class": names[i] if names else str(i),
                    "number": int(i),
                    "probability": float(row[i]),
                }
                for i in best
            ]
            if options.json:
                print(json.dumps({"file": str(file), "classes": found}, ensure_ascii=False))
                continue
            print(file)
            for one in found:
                print(f"  {one['probability']:6.1%}  {one['class']}")
    return 0
