"""The command dljax embed: lines of text as vectors."""

import argparse
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
from dljax.runtime.files import beside

SUMMARY = "turn lines of text into vectors with a run"

_DESCRIPTION = """Turn each line of a text file into a vector with the encoder of a run: the mean of its last
layer's outputs over the tokens of the line, of length 1, so that the product of two vectors is their
cosine. They are written as float32 [lines, features], .npy."""

_EXAMPLES = """
dljax import experiments/transformers/bert.py model.safetensors --variant minilm-l6 \\
        --vocabulary vocab.txt --fresh head --out runs/minilm
dljax embed runs/minilm sentences.txt
dljax embed runs/minilm sentences.txt --no-normalize --out vectors.npy
"""


def _lines(file: Path) -> list[str]:
    from dljax.data.sources.text import read_text

    lines = read_text(file).removesuffix("\n").split("\n")
    if lines == [""]:
        raise UserError(f"{file} is empty: expected a text on each line")
    return lines


def main(argv: list[str]) -> int:
    """Run ``dljax embed`` and return its exit status."""
    parser = Parser("embed", _DESCRIPTION, _EXAMPLES)
    parser.add_argument("file", type=Path, metavar="FILE", help="a text on each line, UTF-8")
    parser.add_argument("--out", type=Path, help="the file to write (default: FILE.npy)")
    parser.add_argument(
        "--pool",
        choices=("mean", "first"),
        default="mean",
        help="of a line's outputs, their mean or the first token's (default: mean)",
    )
    parser.add_argument(
        "--normalize",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="make each vector's length 1",
    )
    parser.add_argument(
        "--length",
        type=int,
        help="tokens of a line at the most (default: all that the model takes)",
    )
    parser.add_argument("--on", metavar="PROFILE", help="where it runs")
    add_which(parser)
    add_now(parser)
    target = take_target(parser, argv, "run")
    options, path = parser.parse_args(target.rest), Path(target.word)
    record = read_record(path)
    lines = _lines(options.file)
    out = options.out or options.file.with_name(f"{options.file.name}.npy")
    if out.exists() and options.file.samefile(out):
        raise UserError(f"--out {out} is the text itself: name another file")
    status = opened_elsewhere("embed", argv, path, record, options.now)
    if status is not None:
        return status
    opened = open_run(path, record, options)
    import numpy as np

    from dljax.analysis.sentence_vectors import sentence_vectors
    from dljax.cli.modules import of_phase

    module, vocabulary = (
        of_phase(opened.phase),
        getattr(opened.phase.data.source, "vocabulary", None),
    )
    if not hasattr(module, "encode") or vocabulary is None:
        raise UserError(
            f"{path} is a run of no encoder of texts: dljax embed takes one of BERT, such as of "
            "experiments/transformers/bert.py"
        )
    most = module.positions - module.offset
    length = most if options.length is None else options.length
    if not 3 <= length <= most:
        raise UserError(f"--length {length}: expected 3 to {most}, the positions of the model")
    variables = opened.executor.learner.chosen(opened.state)
    vectors = sentence_vectors(
        module,
        variables.params["model"],
        vocabulary,
        lines,
        length=length,
        pool=options.pool,
        normalize=options.normalize,
    )
    try:
        with beside(out) as file:
            np.save(file, vectors)
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror or error}") from None
    print(f"{out}: {len(vectors)} x {vectors.shape[1]}")
    return 0
