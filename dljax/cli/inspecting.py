"""The command dljax inspect: a classifier's run under one instrument."""

from pathlib import Path
from typing import NamedTuple

from dljax.cli import instruments, measures
from dljax.cli.asked import Instrument, Options
from dljax.cli.image_files import files_of
from dljax.cli.parsing import Parser, take_target
from dljax.cli.runs import (
    add_now,
    add_which,
    open_run,
    opened_elsewhere,
    read_record,
)
from dljax.cli.subject import Subject, subject_of
from dljax.errors import UserError, nearest

SUMMARY = "look into a classifier's run: filters, attributions, attacks, errors, ..."


class Kind(NamedTuple):
    """An instrument: its function, a line for the help, and the options that it takes."""

    look: Instrument
    summary: str
    takes: frozenset[str]


def _kind(look: Instrument, summary: str, takes: str) -> Kind:
    return Kind(look, summary, frozenset(takes.split()))


INSTRUMENTS = {
    "filters": _kind(instruments.filters, "the weights on the image, as pictures", "layer"),
    "activations": _kind(
        instruments.activations,
        "feature maps of images, of the channels that vary most",
        "image layer channel limit",
    ),
    "examples": _kind(
        instruments.examples,
        "the examples that excite a channel most, beside the optimized input",
        "image layer channel limit steps",
    ),
    "visualize": _kind(
        instruments.visualize,
        "feature visualization: inputs optimized for channels or classes",
        "layer channel class steps",
    ),
    "atlas": _kind(instruments.atlas, "an activation atlas of a layer", "image layer limit steps"),
    "explanations": _kind(
        instruments.explanations,
        "saliency, SmoothGrad, integrated gradients, Grad-CAM, occlusion",
        "image layer limit",
    ),
    "attacks": _kind(
        measures.attacks,
        "accuracy under FGSM and PGD over epsilon, robustness",
        "epsilon limit steps",
    ),
    "calibration": _kind(measures.calibration, "reliability diagram, ECE and temperature", "limit"),
    "confusion": _kind(
        measures.confusion, "errors by class, by brightness and by a set's groups", "limit"
    ),
    "extrapolation": _kind(
        measures.extrapolation,
        "AUROC of the confidence against sets of another kind",
        "against limit",
    ),
}

_DESCRIPTION = """Look at a classifier's run with one instrument NAME. Its pictures go into the run's folder
and its report.html, its numbers are printed. Without a NAME, the instruments and the run's layers
are listed.

instruments:
""" + "\n".join(f"    {name:14} {kind.summary}" for name, kind in INSTRUMENTS.items())

_EXAMPLES = """
dljax inspect runs/lenet-1a2b3c4d
dljax inspect runs/lenet-1a2b3c4d filters
dljax inspect runs/lenet-1a2b3c4d examples --layer c3 --channel 0,5
dljax inspect runs/lenet-1a2b3c4d extrapolation --against fashion_mnist
dljax inspect runs/mobilenet explanations --image cat.jpg dog.jpg
dljax inspect runs/mobilenet visualize --class "tabby" --steps 512
"""


def _parser() -> Parser:
    parser = Parser("inspect", _DESCRIPTION, _EXAMPLES)
    parser.add_argument("name", nargs="?", metavar="NAME", help="the instrument")
    parser.add_argument(
        "--image",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="image files or folders, instead of the images that the run is tested on",
    )
    parser.add_argument("--layer", metavar="PATH", help="a layer, such as block1_0/expand")
    parser.add_argument("--channel", metavar="N,N", help="channels of the layer")
    parser.add_argument(
        "--class", action="append", dest="classes", metavar="CLASS", help="a class; may be repeated"
    )
    parser.add_argument(
        "--against",
        action="append",
        metavar="SET",
        help="noise, shuffled, photos, a dataset or a folder of images; may be repeated",
    )
    parser.add_argument("--epsilon", type=float, help="the largest radius, of pixels in 0..1")
    parser.add_argument("--limit", type=int, metavar="N", help="examples that are looked at")
    parser.add_argument("--steps", type=int, metavar="N", help="of an optimization, or of PGD")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn (default: 0)")
    parser.add_argument("--on", metavar="PROFILE", help="where it runs")
    add_which(parser)
    add_now(parser)
    return parser


def _instrument(name: str) -> Kind:
    if name in INSTRUMENTS:
        return INSTRUMENTS[name]
    within = [n for n, kind in INSTRUMENTS.items() if name.lower() in kind.summary.lower()]
    if within and len(name) > 2:  # "saliency", "ECE": a part of one
        raise UserError(f"no instrument {name!r}: it is a part of {' and of '.join(within)}")
    raise UserError(f"no instrument {name!r}: {nearest(name, INSTRUMENTS)}")


def _options(parsed: dict) -> Options:
    channels = None
    if parsed["channel"] is not None:
        words = parsed["channel"].split(",")
        if not all(word.strip().isdecimal() for word in words):
            raise UserError(f"--channel {parsed['channel']}: expected numbers, as 0,3,5")
        channels = tuple(int(word) for word in words)
    for name in ("limit", "steps"):
        if parsed[name] is not None and parsed[name] < 1:
            raise UserError(f"--{name} {parsed[name]}: expected a whole number above 0")
    if not 0 <= parsed["seed"] < 2**32:
        raise UserError(f"--seed {parsed['seed']}: expected 0 to {2**32 - 1}")
    if parsed["epsilon"] is not None and not 0 < parsed["epsilon"] <= 1:
        raise UserError(f"--epsilon {parsed['epsilon']:g}: expected a number above 0, at most 1")
    classes, against = (parsed[n] and tuple(parsed[n]) for n in ("classes", "against"))
    rest = (parsed[n] for n in ("epsilon", "limit", "steps", "seed"))
    return Options(parsed["layer"], channels, classes, against, *rest)


def _listing(subject: Subject, step: int) -> str:
    h, w, c = subject.shape
    lines = [f"{subject.path}, step {step}: {subject.classes} classes of images {h}x{w}x{c}", ""]
    lines += ["instruments:"]
    lines += [f"    {name:14} {kind.summary}" for name, kind in INSTRUMENTS.items()]
    width = max(map(len, subject.layers), default=0)
    lines += ["", "layers, for --layer, with the shape of their output:"]
    lines += [f"    {p:{width}}  {'x'.join(map(str, s))}" for p, s in subject.layers.items()]
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    """Run ``dljax inspect`` and return its exit status."""
    parser = _parser()
    target = take_target(parser, argv, "run")
    options, path = parser.parse_args(target.rest), Path(target.word)
    record = read_record(path)
    asked, parsed = _options(vars(options)), vars(options)
    given = {"class": "classes", **{n: n for n in ("image", "layer", "channel", "against")}}
    given |= {n: n for n in ("epsilon", "limit", "steps")}
    named = [option for option, key in given.items() if parsed[key] is not None]
    kind = None if options.name is None else _instrument(options.name)
    for option in named:
        if kind is None or option not in kind.takes:
            takes = [n for n, k in INSTRUMENTS.items() if option in k.takes]
            what = options.name or "the list of instruments"
            raise UserError(f"{what} takes no --{option}: it goes with {', '.join(takes)}")
    files = files_of(options.image) if options.image else []
    status = opened_elsewhere("inspect", argv, path, record, options.now)
    if status is not None:
        return status
    opened = open_run(path, record, options)
    import jax

    from dljax.runtime.pictures import store_picture
    from dljax.runtime.report import write_report

    learner, evals = opened.executor.learner, opened.phase.evals
    if not evals:
        raise UserError(
            f"{path} is a run without a set to be tested on: there is nothing to look at"
        )
    data = next(iter(evals.values()))
    variables = learner.chosen(opened.state)
    subject = subject_of(path, learner, data, variables, jax.random.key(options.seed))
    if kind is None:
        print(_listing(subject, opened.step))
        return 0
    if files:
        subject = subject.of_files(files, data)
    shown = kind.look(subject, asked)
    print(shown.text, end="")
    try:
        for part, picture in shown.pictures.items():
            name = "-".join(filter(None, ("inspect", options.name, part.replace("/", "."))))
            print(store_picture(path / "pictures", f"{name}_{opened.step:07d}", picture))
        print(write_report(path))
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from None
    return 0
