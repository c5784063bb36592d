"""Opening of profiles and experiment files, whose failures are told in one line."""

import os
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dljax.errors import UserError
from dljax.runtime.profile import Profile, check_flags

if TYPE_CHECKING:
    from dljax.experiment import Experiment


def _tell(unraisable: Any) -> None:
    """Report an exception that could not be raised, as Python does, except TensorStore's.

    Once one array could not be read or written, each other array reports; the first failure is
    raised and told anyway.
    """
    words = str(unraisable.exc_value)
    if "Event loop is closed" not in words and "TensorStore" not in words:
        sys.__unraisablehook__(unraisable)


def start(profile: Profile) -> None:
    """Set the profile's environment, start jax, join the other processes, find the devices.

    Raises:
        UserError: the profile wants devices that are absent, or flags that XLA does not know.
    """
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _tell
    wanted = profile.environment()
    check_flags(wanted.get("XLA_FLAGS", ""))
    os.environ.update(wanted)
    from dljax.runtime.execute import make_mesh
    from dljax.runtime.processes import prepare

    prepare(profile)
    make_mesh(profile)


def _where(path: Path, error: BaseException) -> str:
    """``file:line`` of the deepest frame in the experiment's own folder."""
    folder, found = str(path.resolve().parent), str(path)
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith(folder) or Path(frame.filename) == path:
            found = f"{os.path.relpath(frame.filename)}:{frame.lineno}"
    return found


def open_file(path: Path) -> Callable[..., "Experiment"]:
    """Load a file (see ``dljax.load``), with every error of its code as a UserError.

    Raises:
        UserError: also from the returned function; DLJAX_TRACEBACK=1 shows the traceback.
    """
    from dljax.loading import load

    def told(function: Callable[..., Any], *arguments: Any, **knobs: Any) -> Any:
        try:
            return function(*arguments, **knobs)
        except UserError:
            raise
        except (Exception, SystemExit) as error:
            first = (str(error).strip() or "no message").splitlines()[0]
            raise UserError(
                f"{_where(path, error)}: {type(error).__name__}: {first} "
                "(DLJAX_TRACEBACK=1 shows where it came from)"
            ) from error

    return partial(told, told(load, path))


def open_experiment(path: Path, knobs: Mapping[str, Any]) -> "Experiment":
    """The experiment of a file with these knobs; raises as ``open_file`` does."""
    return open_file(path)(**knobs)
