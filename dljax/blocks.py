"""The way in which a row of equal blocks is compiled: a matter of where a network runs, not of what it is.

The profile chooses (``remat``, ``scan_layers``), models go through ``dljax.nn.stack``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple


class Blocks(NamedTuple):
    """The choice.

    Attributes:
        remat: in training, a block's inner values are computed anew on the way back instead of kept
            (Chen et al. 2016, arXiv:1604.06174): less memory, a forward pass more.
        scan: one block is compiled, and a loop goes over the parameters of all: compile time that does
            not grow with the depth.
    """

    remat: bool = False
    scan: bool = False


_AS_WRITTEN = Blocks()
_CHOSEN = ContextVar("blocks", default=_AS_WRITTEN)


def blocks() -> Blocks:
    """The choice for what is being traced."""
    return _CHOSEN.get()


@contextmanager
def compiled_as(choice: Blocks) -> Iterator[None]:
    """A context in which blocks are traced as chosen."""
    token = _CHOSEN.set(choice)
    try:
        yield
    finally:
        _CHOSEN.reset(token)
