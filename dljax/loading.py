"""Loading of an experiment file as an Experiment that knows the code it was made of.

As for a script, the file's folder is put on Python's path. A process has one module of each name, so
modules of another file with the same names, or of an earlier text, are dropped and imported anew.
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


class _Module(NamedTuple):
    """A module as it was read."""

    name: str
    path: Path
    text: bytes


_imported: dict[str, _Module] = {}  # name -> as this process imported it
_front: list[str] = []  # the folder of the file that was loaded or run last


def _modules(origin: Origin) -> tuple[list[_Module], list[_Module]]:
    """The origin's modules beside the experiment file, and its modules of dljax."""
    if origin.file is None:
        return [], []
    base = {True: PACKAGE.parent, False: origin.file.resolve().parent}
    found: dict[bool, list[_Module]] = {True: [], False: []}
    for file, text in origin.texts.items():
        ours = file.startswith("dljax/")
        if file != origin.file.name:
            found[ours].append(_Module(module_name(file), base[ours] / file, text))
    return found[False], found[True]


def _make_way(origin: Origin) -> None:
    """Put the file's folder on Python's path, in place of another file's.

    Imported modules with the names of those beside the file are dropped where they are others: from
    elsewhere, or of another text.
    """
    if origin.file is None:
        return
    for folder in _front:
        with contextlib.suppress(ValueError):  # the path may have been changed meanwhile
            sys.path.remove(folder)
    _front[:] = [str(origin.file.resolve().parent)]
    sys.path.insert(0, _front[0])
    importlib.invalidate_caches()
    beside = {module.name: module for module in _modules(origin)[0]}
    roots = {name.partition(".")[0] for name in beside}
    there = [name for name in sys.modules if name.partition(".")[0] in roots]
    if any(_imported.get(name) != beside.get(name) for name in there):
        for name in there:
            del sys.modules[name]
            _imported.pop(name, None)
    for module in beside.values():
        if module.name not in sys.modules:  # bytecode misses an edit of equal size in one second
            with contextlib.suppress(OSError):
                Path(importlib.util.cache_from_source(module.path)).unlink()


def _compare(origin: Origin) -> None:
    """Check that the imported modules have the texts that were read, and remember them.

    Raises:
        UserError: a module was edited in between.
    """
    beside, ours = _modules(origin)
    for module in beside + [module for module in ours if module.name in sys.modules]:
        edited = _imported.get(module.name, module) != module
        if module.name not in _imported:
            edited = not module.path.is_file() or module.path.read_bytes() != module.text
        if edited:
            raise UserError(
                f"{module.path} was edited since {origin.name} was loaded: load it again"
            )
        if module.name in sys.modules:
            _imported[module.name] = module


def hold(origin: Origin | None) -> None:
    """Let later imports, in a forward pass for instance, find the modules of a loaded file.

    Raises:
        UserError: a module was edited since the file was loaded.
    """
    if origin:
        _make_way(origin)
        _compare(origin)


def load(path: str | Path) -> Callable[..., Experiment]:
    """The experiment function of a file: call it with a claim or knobs to get an Experiment.

    Example:
        >>> import dljax  # doctest: +SKIP
        >>> experiment = dljax.load("experiments/convnets/lenet.py")(epochs=2)
        >>> dljax.run(experiment, "cpu")

    Raises:
        UserError: the file is missing, defines no function ``experiment``, or imports a module of dljax
            that was edited after this process had imported it.
    """
    path = Path(path).absolute()
    knobs = read_knobs(path)
    origin = Origin.of_file(path, {}, knobs.text)
    for one in _modules(origin)[1]:
        known, changed = _imported.get(one.name), one.path.stat().st_mtime
        edited = known != one if known else dljax.STARTED < changed <= time.time()
        if one.name in sys.modules and edited:
            raise UserError(
                f"{one.path} was edited after this process imported it: start Python anew"
            )
    _make_way(origin)
    name = f"dljax_experiment_{path.stem}"
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # dataclasses, and so flax's modules, look for it there
    exec(compile(knobs.text, str(path), "exec", dont_inherit=True), module.__dict__)
    _compare(origin)

    def build(*, claim: str | None = None, **given: Any) -> Experiment:
        resolved = knobs.resolve(given, claim)
        _make_way(origin)
        built = module.experiment(**resolved)
        if not isinstance(built, Experiment):
            raise UserError(
                f"{path}: experiment() returned {type(built).__name__}, expected an Experiment"
            )
        _compare(origin)
        row = knobs.claimed(resolved, claim) or knobs.claim(claim)
        return built.of(origin._replace(knobs=resolved), row, knobs.apart(resolved, row))

    return build
