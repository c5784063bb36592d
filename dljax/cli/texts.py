"""Options of the commands that let a language model write."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dljax.errors import UserError

if TYPE_CHECKING:
    from dljax.analysis.generate import Text


class Option(NamedTuple):
    """An option for an attribute of a text look: its type, bounds (least, most) and help."""

    type: type
    least: float
    most: float
    help: str


_MANY = 2**31 - 1
OPTIONS = {
    "temperature": Option(float, 0, 1e6, "of the draws; 0 takes the likeliest token"),
    "top_k": Option(int, 0, _MANY, "draw from so many of the likeliest tokens; 0 from all"),
    "top_p": Option(float, 0, 1, "draw from the likeliest tokens of this probability together"),
    "length": Option(int, 1, _MANY, "tokens of a text at most"),
    "beams": Option(int, 0, 4096, "search for the likeliest text with so many beams, draw nothing"),
    "alpha": Option(float, 0, 100, "of the beams' length penalty ((5 + length) / 6) ** alpha"),
}


def add_options(parser: ArgumentParser, *names: str) -> None:
    """Add some of OPTIONS."""
    for name in names:
        option = OPTIONS[name]
        parser.add_argument(f"--{name.replace('_', '-')}", type=option.type, help=option.help)


def given(options: Namespace) -> dict[str, Any]:
    """Attribute -> value, of the options that a command line has.

    Raises:
        UserError: a value is out of its bounds.
    """
    found: dict[str, Any] = {
        name: value
        for name in (*OPTIONS, "prompt")
        if (value := getattr(options, name, None)) is not None
    }
    for name, value in found.items():
        option = OPTIONS.get(name)
        if option and not option.least <= value <= option.most:
            raise UserError(
                f"--{name.replace('_', '-')} {value}: expected {option.least} to {option.most:.10g}"
            )
    return found


def texts(path: Path, looks: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, "Text"]:
    """The looks that are texts, with ``changes`` to their attributes.

    Raises:
        UserError: there are none.
    """
    from dljax.analysis.generate import Text

    found = {name: replace(x, **changes) for name, x in looks.items() if isinstance(x, Text)}
    if not found:
        raise UserError(f"{path} is no run of a language model: it has no text to look at")
    return found
