"""The command dljax export: a run's weights as a file, by the names of another library."""

from pathlib import Path

from dljax.cli.parsing import Parser, take_target
from dljax.cli.runs import (
    add_now,
    add_which,
    open_run,
    opened_elsewhere,
    read_record,
)
from dljax.errors import UserError

SUMMARY = "write a run's weights as safetensors, by their reference's names"

_DESCRIPTION = """Write the weights of a run's newest checkpoint, those by which it is evaluated, as a
safetensors file with the names of the reference implementation (torchvision, timm, ...)."""

_EXAMPLES = """
dljax export runs/resnet_cifar-1a2b3c4d resnet20.safetensors
dljax export runs/gpt-1a2b3c4d gpt.safetensors --best
"""


def main(argv: list[str]) -> int:
    """Run ``dljax export`` and return its exit status."""
    parser = Parser("export", _DESCRIPTION, _EXAMPLES)
    parser.add_argument("file", type=Path, metavar="FILE", help="safetensors")
    parser.add_argument("--on", metavar="PROFILE", help="where it runs")
    add_which(parser)
    add_now(parser)
    target = take_target(parser, argv, "run")
    options, path = parser.parse_args(target.rest), Path(target.word)
    record = read_record(path)
    if options.file.suffix != ".safetensors":
        raise UserError(f"{options.file}: expected a name that ends in .safetensors")
    status = opened_elsewhere("export", argv, path, record, options.now)
    if status is not None:
        return status
    opened = open_run(path, record, options)
    from dljax import weights
    from dljax.cli.modules import entries_of, of_phase
    from dljax.tasks.supervised import MODEL

    entries = entries_of(of_phase(opened.phase))
    params, extra = opened.executor.learner.chosen(opened.state)
    weights.export({"params": params[MODEL], **extra[MODEL]}, entries, options.file)
    print(f"{options.file}: {path}, step {opened.step}")
    return 0
