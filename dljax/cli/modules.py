"""The networks of an experiment, and the names that other libraries have for their weights."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dljax.errors import UserError

if TYPE_CHECKING:
    import flax.linen as nn

    from dljax.experiment import Phase
    from dljax.weights import Entry


def shapes_of(phase: "Phase") -> Any:
    """A batch of a phase's data, as shapes and dtypes."""
    import jax

    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), phase.data.batch(0, slice(None))
    )


def of_phase(phase: "Phase") -> "nn.Module":
    """The network that a phase trains.

    Raises:
        UserError: it trains several, or none.
    """
    import jax

    from dljax.analysis.summary import roots

    found = roots(phase.learner.init, jax.random.key(0), shapes_of(phase))
    if len(found) != 1:
        names = ", ".join(type(module).__name__ for module in found) or "none"
        raise UserError(
            f"the experiment trains {len(found)} networks ({names}): a file of weights is of one; "
            "load it in the experiment, with Phase(start=weights.load(...))"
        )
    return found[0]


def entries_of(module: "nn.Module", file: Path | None = None) -> list["Entry"]:
    """The map of a network's weights to the names of its reference implementation.

    Args:
        file: of weights; of several maps (``entries``, ``keras_entries``, ...) the one is taken that has
            the most of its names.

    Raises:
        UserError: ``dljax.weights`` has no file of the architecture's name, or ``file`` cannot be read.
    """
    home = type(module).__module__.rpartition(".")[2]
    try:
        names = import_module(f"dljax.weights.{home}")
    except ModuleNotFoundError:
        raise UserError(
            f"dljax knows no other names for the weights of {type(module).__name__}: there is no "
            f"dljax/weights/{home}.py"
        ) from None
    others = [make for name, make in vars(names).items() if name.endswith("_entries")]
    maps = [names.entries(module), *(make(module) for make in others)]
    if file is None or len(maps) == 1:
        return maps[0]
    from dljax.weights import read

    found = read(file).keys()
    return max(maps, key=lambda entries: len(found & {n for e in entries for n in e.names}))
