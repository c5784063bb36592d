"""The command dljax launch: a run as several processes, on this machine or through Slurm."""

import sys

from dljax.cli.parsing import (
    Parser,
    add_anyway,
    add_init,
    add_run_options,
    parse_with_knobs,
    take_target,
)
from dljax.cli.runs import begun_with
from dljax.code import Origin, default_workdir
from dljax.errors import UserError
from dljax.runtime import launch
from dljax.runtime.profile import load_profile

SUMMARY = "train as several processes, or as a Slurm job"

_DESCRIPTION = """Train FILE as several processes that work on one batch. When one dies all end; the
same command goes on from the last checkpoint, also with another number of processes.
With --slurm: write a batch script from the profile's [launcher] and submit it."""

_EXAMPLES = """
dljax launch --processes 2 experiments/convnets/lenet.py --epochs 5
dljax launch --slurm --on configs/slurm_gpu_x8.toml experiments/convnets/lenet.py
dljax launch --slurm --dry-run --on configs/slurm_gpu_x8.toml experiments/convnets/lenet.py
"""


def main(argv: list[str]) -> int:
    """Run ``dljax launch`` and return its exit status."""
    parser = Parser("launch", _DESCRIPTION, _EXAMPLES)
    add_run_options(parser)
    add_anyway(parser)
    add_init(parser)
    parser.add_argument("--processes", type=int, help="how many, on this machine (default: 2)")
    parser.add_argument("--slurm", action="store_true", help="submit to Slurm instead")
    parser.add_argument("--dry-run", action="store_true", help="with --slurm: print the script")
    target = take_target(parser, argv, "file")
    at = argv.index(target.word)
    if argv[max(0, at - 1) : at] == ["train"]:  # as one would write it without `launch`
        del target.rest[at - 1]
    options, path, knobs, words = parse_with_knobs(parser, [target.word, *target.rest])
    resolved = knobs.resolve(words, options.claim)
    begun = begun_with(options.init, options.fresh)
    profile = load_profile(options.on)
    command = [sys.executable, "-m", "dljax", "train", str(path)]
    command += [f"--{name}={word}" for name, word in words.items()]
    command += [f"--claim={options.claim}"] if options.claim else []
    command += [f"--on={options.on}"] if options.on else []
    command += ["--anyway"] if options.anyway else []
    command += [f"--init={options.init}"] if options.init else []
    command += [f"--fresh={options.fresh}"] if options.fresh else []
    if not options.slurm:
        if options.dry_run:
            raise UserError("--dry-run goes with --slurm")
        command += [f"--workdir={options.workdir}"] if options.workdir else []
        return launch.launch(command, 2 if options.processes is None else options.processes)
    if options.processes is not None:
        raise UserError(
            "--processes is for this machine; with --slurm the profile's [launcher] says"
        )
    # The folder that `dljax train` would choose, named in the script so that a requeued job finds it.
    workdir = options.workdir or default_workdir(Origin.of_file(path, {**resolved, **begun}))
    workdir = workdir.absolute()
    script = launch.slurm_script(profile, [*command, f"--workdir={workdir}"], workdir)
    if options.dry_run:
        print(script, end="")
    else:
        print(launch.submit(script, workdir))
        print(f"output: {workdir}.slurm.out")
    return 0
