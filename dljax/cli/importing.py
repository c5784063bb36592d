"""The command dljax import: a run made of a file of weights."""

from pathlib import Path

from dljax.cli.opening import open_experiment, start
from dljax.cli.parsing import Parser, add_run_options, parse_with_knobs
from dljax.cli.runs import begun_from
from dljax.errors import UserError
from dljax.runtime.profile import load_profile

SUMMARY = "make a run of a file of weights, to measure or to begin from"

_DESCRIPTION = """Make a run of the experiment FILE whose network has the weights of a file: of torchvision,
timm and their kin, by their own names. The run has not been trained: eval measures it, describe
and sample show it, and `train --init RUN` begins from it. Where the experiment's data are not
here, --fake true does without."""

_EXAMPLES = """
dljax import experiments/convnets/resnet_cifar.py resnet20-12fca82f.th --claim cifar10
dljax import experiments/convnets/mobilenet_v2.py mobilenet_v2-b0353104.pth --claim imagenet --fake
dljax import experiments/convnets/resnet.py model.safetensors --out runs/resnet50
dljax import experiments/transformers/bert.py model.safetensors --variant bert-base --vocabulary vocab.txt
"""


def main(argv: list[str]) -> int:
    """Run ``dljax import`` and return its exit status."""
    parser = Parser("import", _DESCRIPTION, _EXAMPLES)
    parser.add_argument(
        "weights",
        type=Path,
        metavar="WEIGHTS",
        help="safetensors (of shards the index), npz, a file of torch.save, or Keras' .h5 or .keras",
    )
    add_run_options(parser)
    parser.add_argument(
        "--fresh",
        default="",
        metavar="LAYER[,LAYER]",
        help="layers that begin fresh, which the file may not have (--fresh head)",
    )
    parser.add_argument("--out", type=Path, dest="workdir", help="the same as --workdir")
    options, path, knobs, words = parse_with_knobs(parser, argv)
    profile = load_profile(options.on)
    experiment = open_experiment(path, knobs.resolve(words, options.claim))
    if not options.weights.is_file():
        raise UserError(f"{options.weights} is no file of weights")
    start(profile)
    from dljax.runtime.checkpoints import Checkpoints
    from dljax.runtime.loop import root_key
    from dljax.runtime.rundir import RunDir, choose_workdir
    from dljax.runtime.stage import ready, staged

    experiment = begun_from(experiment, options.weights, options.workdir, options.fresh)
    workdir = choose_workdir(experiment, options.workdir)
    stage = staged(experiment)[0]
    executor = ready(experiment, profile, stage)
    state = executor.laid(stage.phase.start(None, executor.fresh(root_key(experiment.seed, 0))))
    with RunDir(workdir, experiment, profile) as folder, Checkpoints(workdir, 1) as saved:
        if saved.latest() is not None:
            raise UserError(f"{workdir} holds step {saved.latest()} already: name another --out")
        saved.save(0, executor.whole(state))
        saved.wait()
        folder.close()
    print(workdir)
    return 0
