"""Command lines: the file, run or model that they name, and a file's knobs as options."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from dljax import catalog
from dljax.errors import UserError, nearest
from dljax.knobs import Knob, Knobs, read_knobs


class HelpShown(Exception):
    """The end of a command whose help was asked for, and is printed."""


class Parser(argparse.ArgumentParser):
    """An argparse parser whose errors are UserErrors; options cannot be abbreviated."""

    def __init__(self, command: str, description: str, examples: str, **options: Any):
        super().__init__(
            prog=f"dljax {command}",
            description=description,
            epilog="examples:\n" + "\n".join(f"    {e}" for e in examples.strip().splitlines()),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            **options,
        )

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} (see {self.prog} --help)")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise HelpShown  # argparse would end the process here, after --help

    @property
    def names(self) -> list[str]:
        """The long options, without dashes."""
        return [o[2:] for o in self._option_string_actions if o.startswith("--")]

    def nargs_of(self, option: str) -> int | str | None:
        """Number of words that an option takes: 0 for a flag, None for an option it does not know."""
        action = self._option_string_actions.get(option)
        return None if action is None else 1 if action.nargs is None else action.nargs


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add --on and --workdir."""
    parser.add_argument(
        "--on",
        metavar="PROFILE",
        help="where it runs: a file or a name in configs/ (cpu, gpu, ...)",
    )
    parser.add_argument(
        "--workdir",
        type=Path,
        help="the run's folder (default: runs/<name>-<hash of knobs and code>)",
    )


def add_init(parser: argparse.ArgumentParser) -> None:
    """Add --init and --fresh."""
    parser.add_argument(
        "--init",
        type=Path,
        metavar="RUN|WEIGHTS",
        help="begin with the variables of another run's newest checkpoint, or of a file of weights",
    )
    parser.add_argument(
        "--fresh",
        default="",
        metavar="LAYER[,LAYER]",
        help="with --init: layers that begin fresh, as a head of other classes (--fresh output)",
    )


def add_anyway(parser: argparse.ArgumentParser) -> None:
    """Add --anyway."""
    parser.add_argument(
        "--anyway", action="store_true", help="go on in --workdir though the code is another by now"
    )


_SAID = {"file": ("FILE", "an experiment file"), "run": ("WORKDIR", "a run's folder")}
_SAID["model"] = ("MODEL", "a model")


class Target(NamedTuple):
    """The word of a command line that names an experiment file, a run or a model.

    Attributes:
        kind: "file" (an experiment's), "run" (its folder) or "model" (name or name:variant).
        word: the word itself.
        rest: the other words.
    """

    kind: str
    word: str
    rest: list[str]


def _kind(word: str, kinds: Sequence[str]) -> str | None:
    """The kind of a word that is a target beyond doubt, else None; one of ``kinds`` if possible."""
    # os.path.isfile is False for a word too long for a path, where pathlib's raises.
    found = ["run"] if os.path.isfile(os.path.join(word, "record.json")) else []
    found += ["file"] if word.endswith(".py") else []
    if "model" in kinds and word.partition(":")[0] in {a.name for a in catalog.architectures()}:
        found.append("model")
    return next((kind for kind in found if kind in kinds), found[0] if found else None)


def take_target(parser: Parser, argv: list[str], *kinds: str) -> Target:
    """The file, run or model that a command line names, and its other words.

    A word after an option may be the option's value, so it is taken only if no other word can be the
    target and it is one beyond doubt.

    Args:
        kinds: of targets that the command takes; a word of no clear kind is of the last.

    Raises:
        UserError: there is no target, or one of another kind.
    """
    free, doubtful = [], []
    for i, word in enumerate(argv):
        before = argv[i - 1] if i and argv[i - 1].startswith("-") and "=" not in argv[i - 1] else ""
        takes = parser.nargs_of(before)
        if not word.startswith("-") and (not before or takes == 0):
            free.append(i)
        elif (
            not word.startswith("-") and takes is None
        ):  # after a knob, perhaps a bool without a value
            doubtful.append(i)
    found = [(i, kind) for i in free if (kind := _kind(argv[i], kinds))]
    found += [(i, kind) for i in doubtful if (kind := _kind(argv[i], kinds)) and kind in kinds]
    for i, kind in found or [(i, kinds[-1]) for i in free]:
        if kind not in kinds:
            wanted = " or ".join(_SAID[k][1] for k in kinds)
            raise UserError(f"{argv[i]} is {_SAID[kind][1]}: {parser.prog} takes {wanted}")
        return Target(kind, argv[i], argv[:i] + argv[i + 1 :])
    parser.usage = (
        f"{parser.prog} {'|'.join(_SAID[k][0] for k in kinds)} [--knob value ...] [options]"
    )
    parser.parse_known_args(argv)  # --help ends here
    parser.error("name " + " or ".join(_SAID[k][1] for k in kinds))


def _add_knob(group: Any, knob: Knob, many: bool) -> None:
    options: dict[str, Any] = {"nargs": "?", "const": "true"} if knob.kind == "bool" else {}
    spelled = {f"--{knob.name}", f"--{knob.name.replace('_', '-')}"}
    words = f"{knob.expected}, default {'none' if knob.default is None else repr(knob.default)}"
    if many:
        words += "; several: a,b,c" + (" or a range a:b" if knob.kind == "int" else "")
    group.add_argument(
        *sorted(spelled),
        dest=f"knob {knob.name}",
        metavar=knob.name.upper(),
        help=words.replace("%", "%%"),
        **options,
    )


def _add_claims(parser: Parser, knobs: Knobs) -> None:
    if not knobs.claims:
        parser.add_argument("--claim", help=argparse.SUPPRESS)  # refused by ``Knobs.claim``
        return
    width = max(map(len, knobs.claims))
    rows = [f"  {name:{width}}  {claim}" for name, claim in knobs.claims.items()]
    says = "\n".join(["the first where none is named", *rows])
    group = parser.add_argument_group(f"claims of {knobs.path.name}", says)
    group.add_argument("--claim", metavar="NAME", help="take the knobs of this row")


def parse_with_knobs(
    parser: Parser,
    argv: list[str],
    *,
    many: bool = False,
    own: tuple[str, ...] = (),
    claims: bool = True,
) -> tuple[argparse.Namespace, Path, Knobs, dict[str, str]]:
    """Parse ``FILE [--knob value ...]`` and the parser's own options.

    Args:
        many: say in the help that knobs take several values (``dljax sweep``).
        own: options of the command that hide a knob of the same name.
        claims: add an option ``--claim``, for ``Knobs.resolve``.

    Returns:
        (options, file, its knobs, knob -> word as given, not yet parsed).

    Raises:
        UserError: no file, an unknown knob or an unknown claim; the nearest name is offered.
    """
    _, file, rest = take_target(parser, argv, "file")
    knobs = read_knobs(file)
    parser.usage = f"{parser.prog} {file} [--knob value ...] [options]"
    if {"-h", "--help"} & set(rest):
        parser.description = f"{parser.description}\n\n{knobs.doc}"
    group = parser.add_argument_group(f"knobs of {Path(file).name}")
    for knob in knobs.knobs.values():
        if knob.name in own:
            continue
        if knob.name in parser.names:
            raise UserError(f"{file}: --{knob.name} is dljax's own: call the knob something else")
        _add_knob(group, knob, many)
    if claims:
        _add_claims(parser, knobs)
    options, unknown = parser.parse_known_args(rest)
    for word in unknown:
        if word.startswith("-"):
            name = word.lstrip("-").split("=")[0]
            known = [n for n in parser.names if n != "help"]
            raise UserError(f"{Path(file).name} has no knob --{name}: {nearest(name, known)}")
        raise UserError(f"{word!r} is neither a knob nor its value (see {parser.prog} --help)")
    if claims and options.claim is not None:
        knobs.claim(options.claim)
    words = {k[5:]: v for k, v in vars(options).items() if k.startswith("knob ") and v is not None}
    return options, Path(file), knobs, words
