"""Starting jax for a profile, and running an experiment file's own code: what can fail, in a line."""

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
    """Python's report of what could not be raised, but for what reading or writing the other arrays
    says once one has failed: that failure is raised, and told."""
    words = str(unraisable.exc_value)
    if "Event loop is closed" not in words and "TensorStore" not in words:
        sys.__unraisablehook__(unraisable)


def start(profile: Profile) -> None:
    """Set the profile's environment, start jax, join the other processes, find the devices.

    Raises:
        UserError: the profile wants devices that are not there, or flags that XLA does not know.
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
    """``load``, where both what it does and what it returns may fail.

    Raises:
        UserError: whatever the file raises, with its place; DLJAX_TRACEBACK=1 shows the whole of it.
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
    """The experiment of a file with these knobs; errors as of ``open_file``."""
    return open_file(path)(**knobs)
