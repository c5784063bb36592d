"""The command dljax sample: pictures and texts from a trained model."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from dljax.cli.opening import start
from dljax.cli.parsing import Parser, parse_with_knobs, take_target
from dljax.cli.runs import (
    add_now,
    experiment_of_run,
    open_checkpoint,
    opened_elsewhere,
    read_record,
)
from dljax.cli.texts import add_options, given, texts
from dljax.errors import UserError
from dljax.knobs import read_knobs
from dljax.runtime.profile import load_profile

SUMMARY = "draw the pictures and texts of a run again, with another seed"

_DESCRIPTION = """Draw every look of a run's experiment from its newest checkpoint. Knobs of the
experiment that only concern drawing (--prompt, --temperature, ...) can be changed. Of a language
model, the texts are drawn as the options say."""

_EXAMPLES = """
dljax sample runs/dcgan-1a2b3c4d --seed 7
dljax sample runs/vae-1a2b3c4d --n 64
dljax sample runs/gpt-1a2b3c4d --prompt "The for statement" --top-p 0.9 --length 200
dljax sample runs/gpt-1a2b3c4d --prompt "The for statement" --beams 4
"""


def main(argv: list[str]) -> int:
    """Run ``dljax sample`` and return its exit status."""
    parser = Parser("sample", _DESCRIPTION, _EXAMPLES)
    parser.add_argument("--on", metavar="PROFILE", help="where it runs")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn (default: 1)")
    parser.add_argument("--n", type=int, help="samples, instead of as many as while training")
    parser.add_argument("--out", type=Path, help="folder for the files (default: WORKDIR/samples)")
    parser.add_argument("--step", type=int, help="the checkpoint of this step, not the newest")
    add_now(parser)
    target = take_target(parser, argv, "run")
    path = Path(target.word)
    record = read_record(path)
    stored = path / "code" / Path(record["file"]).name
    if not stored.is_file():  # its knobs are today's then, or there are none
        stored = Path(record["file"])
    knobs = read_knobs(stored).knobs
    # Where the experiment has a knob of that name, the knob is meant.
    options_of_texts = ("length", "top_k", "top_p", "beams", "alpha")
    own = tuple(name for name in options_of_texts if name not in knobs)
    add_options(parser, *own)
    if "prompt" not in knobs:
        parser.add_argument("--prompt", help="with which a text begins")
    if "temperature" not in knobs:
        add_options(parser, "temperature")
    options, _, _, words = parse_with_knobs(
        parser, [str(stored), *target.rest], own=("seed", *own), claims=False
    )
    if not 0 <= options.seed < 2**63:
        raise UserError(f"--seed {options.seed}: expected 0 to {2**63 - 1}")
    changes = given(options)
    status = opened_elsewhere("sample", argv, path, record, options.now)
    if status is not None:
        return status
    profile = load_profile(options.on)
    start(profile)
    import jax

    from dljax.analysis.looks import Samples
    from dljax.learner import named
    from dljax.runtime.pictures import store_picture

    experiment = experiment_of_run(path, record, words)
    opened = open_checkpoint(experiment, path, profile, options.step)
    looks = dict(opened.phase.looks)
    if options.n is not None:
        if options.n < 1:
            raise UserError(f"--n {options.n}: expected a whole number above 0")
        several = {name: look for name, look in looks.items() if isinstance(look, Samples)}
        if not several:
            raise UserError(
                f"{path} draws no samples, so there is no number of them: leave out --n"
            )
        looks = {name: replace(look, n=options.n) for name, look in several.items()}
    if changes:
        looks = dict(texts(path, looks, changes))
    if not looks:
        raise UserError(f"{path} has no looks: there is nothing to draw")
    key = jax.random.key(options.seed)
    variables = opened.executor.learner.chosen(opened.state)
    folder = options.out or path / "samples"
    # With other options the same seed draws something else.
    told = json.dumps([words, changes, options.n], default=str, sort_keys=True)
    asked = f"_{zlib.crc32(told.encode()):08x}" if words or changes or options.n else ""
    for name, look in looks.items():
        shown = look(variables, named(key, f"view/{name}"))
        if isinstance(shown, Mapping):
            shown = "".join(f"{name}/{metric} {value:.5g}\n" for metric, value in shown.items())
        try:
            file = store_picture(
                folder, f"{name}_{opened.step:07d}_seed{options.seed}{asked}", shown
            )
        except OSError as error:
            raise UserError(f"{folder} cannot be written: {error.strerror or error}") from None
        if isinstance(shown, str):
            print(shown)
        print(file)
    return 0
