"""The networks of an experiment, and the names that other libraries have for their weights."""

from functools import partial
from importlib import import_module
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


def map_of(module: "nn.Module") -> Any:
    """The map for a network's weights, by the names that a file has where ``dljax.weights`` knows several.

    Returns:
        Entries, or a function (names of the file) -> entries.

    Raises:
        UserError: as ``entries_of``.
    """
    entries = entries_of(module)
    home = import_module(f"dljax.weights.{_home(module)}")
    return partial(home.fitting, module) if hasattr(home, "fitting") else entries


def _home(module: "nn.Module") -> str:
    """The name of a network's file."""
    return type(module).__module__.rpartition(".")[2]


def entries_of(module: "nn.Module") -> list["Entry"]:
    """The map of a network's weights to the names of its reference implementation.

    Raises:
        UserError: ``dljax.weights`` has no file of the architecture's name.
    """
    home = _home(module)
    try:
        return import_module(f"dljax.weights.{home}").entries(module)
    except ModuleNotFoundError:
        raise UserError(
            f"dljax knows no other names for the weights of {type(module).__name__}: there is no "
            f"dljax/weights/{home}.py"
        ) from None
