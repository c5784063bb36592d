"""Command lines that name an experiment file: its knobs become options, read from its text."""

import argparse
from pathlib import Path
from typing import Any, NoReturn

from dljax.errors import UserError, nearest
from dljax.knobs import Knob, Knobs, read_knobs


class Parser(argparse.ArgumentParser):
    """argparse, but wrong input is a UserError and nothing is abbreviated."""

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

    @property
    def names(self) -> list[str]:
        """The long options, without dashes."""
        return [o[2:] for o in self._option_string_actions if o.startswith("--")]


def add_run_options(parser: argparse.ArgumentParser) -> None:
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


def add_anyway(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--anyway", action="store_true", help="go on in --workdir though the code is another by now"
    )


def take_file(argv: list[str]) -> tuple[str | None, list[str]]:
    """The experiment file among the words of a command line, and the other words."""
    named = [i for i, word in enumerate(argv) if word.endswith(".py") and word[:1] != "-"]
    first = [0] if argv and not argv[0].startswith("-") else []
    for i in named[:1] or first:
        return argv[i], argv[:i] + argv[i + 1 :]
    return None, argv


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


def parse_with_knobs(
    parser: Parser, argv: list[str], *, many: bool = False, own: tuple[str, ...] = ()
) -> tuple[argparse.Namespace, Path, Knobs, dict[str, str]]:
    """Parse ``FILE [--knob value ...]`` and the parser's own options.

    Args:
        many: knobs take several values (``dljax sweep``); only the help differs.
        own: options of the command that stand before a knob of the same name.

    Returns:
        The options, the file, its knobs, and the words given for knobs, not yet parsed.

    Raises:
        UserError: no file, or an unknown knob; the nearest name is offered.
    """
    file, rest = take_file(argv)
    if file is None:
        parser.usage = f"{parser.prog} FILE [--knob value ...] [options]"
        parser.parse_known_args(rest)  # --help ends here
        parser.error("name an experiment file")
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
    options, unknown = parser.parse_known_args(rest)
    for word in unknown:
        if word.startswith("-"):
            name = word.lstrip("-").split("=")[0]
            known = [n for n in parser.names if n != "help"]
            raise UserError(f"{Path(file).name} has no knob --{name}: {nearest(name, known)}")
        raise UserError(f"{word!r} is neither a knob nor its value (see {parser.prog} --help)")
    words = {k[5:]: v for k, v in vars(options).items() if k.startswith("knob ") and v is not None}
    return options, Path(file), knobs, words
