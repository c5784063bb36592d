"""The networks of an experiment, and the names that other libraries have for their weights."""

from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from types import ModuleType
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


def map_of(module: "nn.Module") -> Callable[[Iterable[str]], list["Entry"]]:
    """The map of a network's weights to the names of its reference implementation, by the names of a file.

    A file of ``dljax.weights`` may say which by ``fitting``; else, of its maps (``entries``,
    ``keras_entries``, ...) the one is taken that has the most of the names.

    Raises:
        UserError: as ``entries_of``.
    """
    home = _home(module)
    if hasattr(home, "fitting"):
        return partial(home.fitting, module)
    others = [make for name, make in vars(home).items() if name.endswith("_entries")]
    maps = [home.entries(module), *(make(module) for make in others)]

    def best(names: Iterable[str]) -> list["Entry"]:
        found = set(names)
        return max(maps, key=lambda entries: len(found & {n for e in entries for n in e.names}))

    return best


def entries_of(module: "nn.Module") -> list["Entry"]:
    """The map of a network's weights to the names of its reference implementation.

    Raises:
        UserError: ``dljax.weights`` has no file of the architecture's name.
    """
    return _home(module).entries(module)


def _home(module: "nn.Module") -> ModuleType:
    """The file in ``dljax.weights`` of a network's architecture."""
    name = type(module).__module__.rpartition(".")[2]
    try:
        return import_module(f"dljax.weights.{name}")
    except ModuleNotFoundError:
        raise UserError(
            f"dljax knows no other names for the weights of {type(module).__name__}: there is no "
            f"dljax/weights/{name}.py"
        ) from None
