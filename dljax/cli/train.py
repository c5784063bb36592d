"""The command dljax train: an experiment, trained to its end."""

from dljax.cli.opening import open_experiment, start
from dljax.cli.parsing import Parser, add_anyway, add_init, add_run_options, parse_with_knobs
from dljax.cli.runs import begun_from, begun_with
from dljax.runtime.launch import follow_the_launcher
from dljax.runtime.profile import load_profile

SUMMARY = "train an experiment, or go on with an interrupted run"

_DESCRIPTION = """Train the experiment of FILE to its end. The same command again goes on from the
run's last checkpoint; a finished run shows its verdict. With other code or other knobs it is
another run, in a folder of its own."""

_EXAMPLES = """
dljax train experiments/convnets/lenet.py
dljax train experiments/convnets/lenet.py --epochs 5 --lr 3e-4 --workdir runs/try
dljax train experiments/convnets/lenet.py --claim mnist --on gpu
dljax train experiments/convnets/lenet.py --claim fashion --init runs/lenet-1a2b3c4d
dljax train experiments/convnets/mobilenet_v2.py --claim cifar10 --init WEIGHTS --fresh output
dljax train experiments/convnets/lenet.py --help     its docstring and its knobs
"""


def main(argv: list[str]) -> int:
    """Run ``dljax train`` and return its exit status."""
    follow_the_launcher()
    parser = Parser("train", _DESCRIPTION, _EXAMPLES)
    add_run_options(parser)
    add_anyway(parser)
    add_init(parser)
    options, path, knobs, words = parse_with_knobs(parser, argv)
    resolved = knobs.resolve(words, options.claim)
    begun_with(options.init, options.fresh)
    profile = load_profile(options.on)
    start(profile)
    from dljax.runtime.loop import run

    experiment = open_experiment(path, resolved)
    if options.init:
        experiment = begun_from(experiment, options.init, options.workdir, options.fresh)
    run(experiment, profile, options.workdir, anyway=options.anyway)
    return 0
