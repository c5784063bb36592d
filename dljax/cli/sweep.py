"""The command dljax sweep: an experiment over a grid of knobs, mean and spread over seeds."""

import hashlib
import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dljax.cli.opening import open_file, start
from dljax.cli.parsing import Parser, add_run_options, parse_with_knobs
from dljax.code import Origin
from dljax.errors import UserError
from dljax.knobs import Knob, Knobs
from dljax.runtime.files import write_text
from dljax.runtime.profile import load_profile

if TYPE_CHECKING:
    from dljax.experiment import Experiment
    from dljax.runtime.profile import Profile

SUMMARY = "train over a grid of knobs; a table with mean and spread"

_DESCRIPTION = """Train FILE for every combination of the values given: a,b,c or, for whole numbers, a
range a:b (b is left out). Several seeds of a small net are trained together in one program, on
the same batches, those of the first seed; --apart trains each by itself, data order included, and
so does a sweep where one of them diverges. An interrupted sweep goes on with the same command.
A table has the mean and spread of every number. It goes into the sweep's folder, and so does a picture:
where a number is varied every metric over it, else bars of the metrics that the claim is about."""

_EXAMPLES = """
dljax sweep experiments/convnets/lenet.py --lr 1e-3,3e-4 --seed 0:5
dljax sweep experiments/convnets/lenet.py --batch 32,64 --seed 0:3 --apart
dljax sweep experiments/convnets/lenet.py --examples 20,60,200,600,1438 --seed 0:3 --apart
dljax sweep FILE --claim cora       the sweep of a claim's own row
"""

_MOST = 10_000  # runs of a sweep
_SMALL = 2_000_000  # parameters of a net whose seeds are trained together


def values(knob: Knob, word: str) -> list[Any]:
    """The values of ``a,b,c`` and ``a:b`` for a knob.

    Raises:
        UserError: a wrong value, an empty or too long range, or a value that occurs twice.
    """
    out: list[Any] = []
    for part in word.split(","):
        low, colon, high = part.partition(":")
        if colon and knob.kind == "int":
            between = range(int(knob.parse(low)), int(knob.parse(high)))
            if not between:
                raise UserError(f"--{knob.name} {part}: an empty range; a:b ends before b")
            if len(between) > _MOST:
                raise UserError(f"--{knob.name} {part}: {len(between):,} values; at most {_MOST:,}")
            out += [knob.parse(n) for n in between]
        else:
            out.append(knob.parse(part))
    if len(set(out)) < len(out):
        raise UserError(f"--{knob.name} {word}: a value occurs twice")
    return out


def _grid(knobs: Knobs, claim: str | None, words: Mapping[str, str]) -> dict[str, list[Any]]:
    """Knob -> its values, given or set by the claim's row.

    Where no knob has several values, the row's own ``sweep`` gives them.
    """
    row = knobs.claim(claim)
    grid = {name: [value] for name, value in row.knobs.items()} if row else {}
    given = {knobs.find(name): word for name, word in words.items()}
    grid |= {knob.name: values(knob, word) for knob, word in given.items()}
    if row and all(len(found) == 1 for found in grid.values()):
        swept = {knobs.find(name): word for name, word in row.swept.items()}
        grid |= {knob.name: values(knob, w) for knob, w in swept.items() if knob not in given}
    return grid


def _together(experiment: "Experiment", seeds: Sequence[int]) -> bool:
    import jax

    from dljax.analysis.summary import size

    if len(seeds) < 2 or len(experiment.phases) > 1:
        return False
    phase = experiment.phases[0]
    state = jax.eval_shape(phase.learner.init, jax.random.key(0), phase.data.batch(0))
    return size(state.params) < _SMALL


def _train(
    build: Callable[..., "Experiment"],
    profile: "Profile",
    folder: Path,
    knobs: Mapping[str, Any],
    seeds: Sequence[int],
    name: str,
    apart: bool,
) -> dict[str, Any]:
    """Train one configuration with all of its seeds: a row of sweep.json."""
    import numpy as np

    from dljax.cli.runs import together
    from dljax.runtime.loop import run
    from dljax.runtime.measure import Diverged

    seeded = [{**knobs, "seed": seed} for seed in seeds] if seeds else [dict(knobs)]
    first = build(**seeded[0])
    joint = not apart and _together(first, seeds)
    if joint:
        runs = [(together(first, seeds), folder / f"{name}_seeds{seeds[0]}-{seeds[-1]}")]
    else:
        names = [f"{name}_seed{seed}" for seed in seeds] or [name]
        runs = [
            (first if i == 0 else build(**given), folder / names[i])
            for i, given in enumerate(seeded)
        ]
    claim = first.claim
    expected = claim.expect if claim and not first.apart else ()
    wanted = {e.metric for e in expected}
    for index, phase in enumerate(first.phases):
        wanted |= {f"{first.prefix(index)}{part}/" for part in (*phase.evals, *phase.looks)}
    found: dict[str, list[float]] = {}
    failed = []
    for experiment, path in runs:
        try:
            result = run(experiment, profile, path, quiet=True)
        except Diverged as error:
            if joint:  # one model did; trained apart, the others still give numbers
                return _train(build, profile, folder, knobs, seeds, name, apart=True)
            failed.append(str(error))
            continue
        for metric, value in result.metrics.items():
            if metric in wanted or any(metric.startswith(w) for w in wanted if w.endswith("/")):
                found.setdefault(metric, []).extend(np.ravel(value).astype(float).tolist())
    means = {metric: float(np.mean(given)) for metric, given in found.items()}
    return {
        "knobs": dict(knobs),
        "claim": claim.name if claim and expected else "",
        "seeds": list(seeds),
        "together": joint,
        "runs": [str(path) for _, path in runs],
        "diverged": failed,
        # Nothing is claimed of the seeds that are left where one diverged.
        "verdict": {str(e): not failed and e.holds(means.get(e.metric, np.nan)) for e in expected},
        "metrics": {
            metric: {
                "mean": means[metric],
                "std": float(np.std(given, ddof=1)) if len(given) > 1 else None,
                "n": len(given),
                "values": given,
            }
            for metric, given in sorted(found.items())
        },
    }


def _shown(found: Mapping[str, Any]) -> str:
    spread = f" +- {found['std']:.2g} (n = {found['n']})" if found["n"] > 1 else ""
    return f"{found['mean']:.5g}{spread}"


def table(rows: Sequence[Mapping[str, Any]], varied: Sequence[str]) -> str:
    """Configurations down, metrics across: mean +- standard deviation (n)."""
    metrics = sorted({metric for row in rows for metric in row["metrics"]})
    cells = [[*varied, *metrics]]
    for row in rows:
        line = [str(row["knobs"][name]) for name in varied]
        for metric in metrics:
            found = row["metrics"].get(metric)
            nothing = "diverged" if row["diverged"] else "-"  # or another row's phase
            line.append(_shown(found) if found else nothing)
        cells.append(line)
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    return "\n".join(
        "  ".join(f"{c:{w}}" for c, w in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def main(argv: list[str]) -> int:
    """Run ``dljax sweep`` and return its exit status."""
    parser = Parser("sweep", _DESCRIPTION, _EXAMPLES)
    add_run_options(parser)
    parser.add_argument("--apart", action="store_true", help="train each seed by itself")
    options, file, knobs, words = parse_with_knobs(parser, argv, many=True)
    grid = _grid(knobs, options.claim, words)
    seeds = grid.pop("seed", [])
    if max([len(seeds), *map(len, grid.values())], default=0) < 2:
        raise UserError("nothing to sweep over: give a knob several values, such as --seed 0:5")
    runs = math.prod(map(len, grid.values())) * max(1, len(seeds))
    if runs > _MOST:
        raise UserError(f"a sweep of {runs:,} runs: at most {_MOST:,}; give fewer values")
    profile = load_profile(options.on)
    start(profile)
    from dljax.analysis.sweeps import pictures
    from dljax.runtime.pictures import store_picture

    build = open_file(file)
    code = Origin.of_file(file, {}).code
    identity = json.dumps([grid, seeds, options.apart, code], default=str)
    short = hashlib.sha256(identity.encode()).hexdigest()[:8]
    folder = options.workdir or Path("runs") / f"{file.stem}-sweep-{short}"
    varied = [name for name, given in grid.items() if len(given) > 1]
    rows = []
    combinations = list(itertools.product(*grid.values()))
    for number, chosen in enumerate(combinations):
        given = dict(zip(grid, chosen, strict=True))
        shown = {name: given[name] for name in varied}
        name = "_".join(f"{k}{str(v).replace('/', '-')}" for k, v in shown.items()) or file.stem
        rows.append(_train(build, profile, folder, given, seeds, name, options.apart))
        words_now = ", ".join(f"{k} {v}" for k, v in shown.items()) or "all seeds"
        how = "together in one program" if rows[-1]["together"] else "one after the other"
        how = f" ({len(seeds)} seeds {how})" if len(seeds) > 1 else ""
        print(f"{number + 1}/{len(combinations)}  {words_now}{how}", flush=True)
        for failure in rows[-1]["diverged"]:
            print(f"  {failure}")
    target = folder / "sweep.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(target, json.dumps(rows, indent=1) + "\n")
        write_text(folder / "sweep.txt", table(rows, varied) + "\n")
        claim = knobs.claim(options.claim)
        claimed = [expect.metric for expect in claim.expect] if claim else []
        drawn = [store_picture(folder, *it) for it in pictures(rows, varied, claimed).items()]
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror or error}") from None
    print(table(rows, varied))
    for row in rows:
        claim = knobs.claims.get(row["claim"])
        if (
            claim
            and "seed" in claim.swept
            and seeds != values(knobs.find("seed"), claim.swept["seed"])
        ):
            print(f"no verdict: claim {claim.name!r} is about --seed {claim.swept['seed']}")
            continue
        for expect, holds in row["verdict"].items():
            print(f"{'met' if holds else 'NOT MET'}: claim {row['claim']!r}, {expect}")
    print(*drawn, target, sep="\n")
    return 0
