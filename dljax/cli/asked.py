"""What is asked of an instrument of dljax inspect, and what it answers."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from dljax.cli.subject import Subject


class Options(NamedTuple):
    """What a command line asks of an instrument; None where it leaves it to the instrument.

    Attributes:
        layer: a path.
        channels: numbers of channels.
        classes: names or numbers of classes.
        against: names of datasets, or folders of images.
        epsilon: the largest radius of an attack, in units of pixels of 0..1.
        limit: number of examples.
        steps: of an optimization, or of an attack.
        seed: of draws.
    """

    layer: str | None = None
    channels: tuple[int, ...] | None = None
    classes: tuple[str, ...] | None = None
    against: tuple[str, ...] | None = None
    epsilon: float | None = None
    limit: int | None = None
    steps: int | None = None
    seed: int = 0


class Shown(NamedTuple):
    """What an instrument found.

    Attributes:
        pictures: name -> picture, of which "" is the instrument's own and "x" is its "-x".
        text: numbers, as lines.
    """

    pictures: Mapping[str, Any]
    text: str


# (what is looked at, what was asked) -> what was found
Instrument = Callable[["Subject", Options], Shown]


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Lines of cells in columns, the first one to the left and the others to the right."""
    cells = [[str(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "".join(
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        + "\n"
        for row in cells
    )
