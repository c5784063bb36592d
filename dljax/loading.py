"""An experiment file's text made an Experiment, which remembers where it came from.

As for a script, the file's folder is put on Python's path. A process has one module of a name: to load
a file whose modules are named like another one's, or were edited, drops those and imports them anew.
"""

import contextlib
import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import dljax
from dljax.code import PACKAGE, Origin, module_name
from dljax.errors import UserError
from dljax.experiment import Experiment
from dljax.knobs import read_knobs

_imported: dict[Path, bytes] = {}  # file of a module -> the text that this process imported
_front: list[str] = []  # the folder of the file that was loaded or run last


class _Module(NamedTuple):
    """A module that a run's code imports, as it was read."""

    name: str
    path: Path
    text: bytes
    beside: bool  # the experiment's file, and not in dljax

    @property
    def edited(self) -> bool:
        """Whether what this process imported, if it did, may be another text."""
        if self.name not in sys.modules:
            return False
        if self.path in _imported:
            return _imported[self.path] != self.text
        return dljax.STARTED < self.path.stat().st_mtime <= time.time()


def _modules(origin: Origin) -> list[_Module]:
    """All but the experiment's own file."""
    if origin.file is None:
        return []
    found = []
    for file, text in origin.texts.items():
        beside = not file.startswith("dljax/")
        base = origin.file.resolve().parent if beside else PACKAGE.parent
        if file != origin.file.name:
            found.append(_Module(module_name(file), base / file, text, beside))
    return found


def _make_way(origin: Origin) -> None:
    """Put the file's folder on Python's path, in place of another's, and drop modules that have the names
    of those beside it and another text."""
    if origin.file is None:
        return
    for folder in _front:
        with contextlib.suppress(ValueError):  # whoever ran in between may have changed the path
            sys.path.remove(folder)
    _front[:] = [str(origin.file.resolve().parent)]
    sys.path.insert(0, _front[0])
    importlib.invalidate_caches()
    beside = {module.name: module for module in _modules(origin) if module.beside}
    roots = {name.partition(".")[0] for name in beside}
    there = {name: m for name, m in sys.modules.items() if name.partition(".")[0] in roots}
    texts = {name: _imported.get(m.path) == m.text for name, m in beside.items() if name in there}
    if not all([*texts.values(), *(_lies_in(_front[0], module) for module in there.values())]):
        for name in there:
            del sys.modules[name]
    for name, module in beside.items():
        if name not in sys.modules:
            _imported.pop(module.path, None)
            with contextlib.suppress(OSError):  # bytecode knows an edit by the second and the size
                Path(importlib.util.cache_from_source(module.path)).unlink()


def _lies_in(folder: str, module: ModuleType) -> bool:
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", [])]
    return all(Path(place).is_relative_to(folder) for place in places if place)


def _compare(origin: Origin) -> None:
    """
    Raises:
        UserError: a module was edited between being read and being imported.
    """
    for module in _modules(origin):
        there = module.name in sys.modules
        if there and module.path in _imported:
            edited = _imported[module.path] != module.text
        elif there or module.beside:
            edited = not module.path.is_file() or module.path.read_bytes() != module.text
        else:
            continue
        if edited:
            raise UserError(
                f"{module.path} was edited since {origin.name} was loaded: load it again"
            )
        if there:
            _imported[module.path] = module.text


def hold(origin: Origin | None) -> None:
    """Have imports that are still to come, in a forward pass for instance, find a loaded file's modules.

    Raises:
        UserError: one was edited since it was loaded.
    """
    if origin:
        _make_way(origin)
        _compare(origin)


def load(path: str | Path) -> Callable[..., Experiment]:
    """The experiment function of a file: call it with knobs to get an Experiment.

    Example:
        >>> import dljax  # doctest: +SKIP
        >>> experiment = dljax.load("experiments/convnets/lenet_digits.py")(epochs=2)
        >>> dljax.run(experiment, dljax.profile("cpu"))

    Raises:
        UserError: the file is missing, defines no function ``experiment``, or imports a module of dljax
            that was edited after this process had imported it.
    """
    path = Path(path).absolute()
    knobs = read_knobs(path)
    origin = Origin.of_file(path, {}, knobs.text)
    for one in _modules(origin):
        if not one.beside and one.edited:
            raise UserError(
                f"{one.path} was edited after this process imported it: start Python anew"
            )
    _make_way(origin)
    name = f"dljax_experiment_{path.stem}"
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # where dataclasses, so flax's modules, look for it
    exec(compile(knobs.text, str(path), "exec", dont_inherit=True), module.__dict__)
    _compare(origin)

    def build(**given: Any) -> Experiment:
        resolved = knobs.resolve(given)
        _make_way(origin)
        built = module.experiment(**resolved)
        if not isinstance(built, Experiment):
            raise UserError(
                f"{path}: experiment() returned {type(built).__name__}, expected an Experiment"
            )
        _compare(origin)
        return built.of(origin._replace(knobs=resolved))

    return build
