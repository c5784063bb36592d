"""The modules beside an experiment's file: what they say is part of what the experiment means.

They are read once, and imported from what was read: what a run records is what has run, however soon
the files are edited.
"""

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from dljax.errors import UserError


def read_source(path: Path) -> str:
    """A Python file's text, as Python decodes it.

    Raises:
        UserError: it cannot be read, or is no Python.
    """
    try:
        text = importlib.util.decode_source(path.read_bytes())
        ast.parse(text, filename=str(path))
        return text
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except (SyntaxError, UnicodeDecodeError, ValueError) as error:
        line = getattr(error, "lineno", None)
        where = f" (line {line})" if line else ""
        raise UserError(f"{path} is not Python{where}: {error}") from None


def _imports(text: str, package: str) -> Iterator[str]:
    """The dotted names that a module of ``package`` ("" for none) imports; some may be no modules."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*filter(None, above), *filter(None, [base])])
            if base:
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names)


def _is_beside(name: str, folder: Path) -> bool:
    """Whether ``import name`` finds a file of ``folder``: as Python looks for it with the folder first,
    so that a folder named like a library that is installed is not taken for it."""
    spec = importlib.machinery.PathFinder.find_spec(name, [str(folder), *sys.path])
    if spec is None or name == "dljax":
        return False
    places = [spec.origin] if spec.has_location else list(spec.submodule_search_locations or [])
    return any(place and Path(place).is_relative_to(folder) for place in places)


def _file(name: str, folder: Path) -> Path | None:
    """The file of a dotted name in ``folder``: a package's before a module's, as in Python."""
    stem = folder.joinpath(*name.split("."))
    return next((f for f in (stem / "__init__.py", stem.with_suffix(".py")) if f.is_file()), None)


class Modules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Modules beside an experiment's file, as they were when they were read; in a ``with`` statement
    they are what is imported by their names.

    Attributes:
        texts: path in the folder -> text.
        folder: that they lie in; whatever else is there can be imported too.
    """

    def __init__(self, texts: Mapping[str, str], folder: Path):
        self.texts, self.folder = dict(sorted(texts.items())), folder
        self._names = {
            file.removesuffix(".py").removesuffix("/__init__").replace("/", "."): file
            for file in self.texts
        }
        self._loaded: dict[str, ModuleType] = {}

    @classmethod
    def of(cls, text: str, folder: Path) -> "Modules":
        """Those in ``folder`` that a file with this text imports, directly or not.

        Raises:
            UserError: one is no Python.
        """
        found: dict[str, str] = {}
        roots: dict[str, bool] = {}
        todo = [(text, "")]
        while todo:
            for name in _imports(*todo.pop()):
                root = name.partition(".")[0]
                if root not in roots:
                    roots[root] = _is_beside(root, folder)
                parts = name.split(".") if roots[root] else []
                for depth in range(len(parts)):
                    dotted = ".".join(parts[: depth + 1])
                    file = _file(dotted, folder)
                    at = file.relative_to(folder).as_posix() if file else ""
                    if file and at not in found:
                        found[at] = read_source(file)
                        inside = file.name == "__init__.py"
                        todo.append((found[at], dotted if inside else dotted.rpartition(".")[0]))
        return cls.known(found, folder)

    @classmethod
    def known(cls, texts: Mapping[str, str], folder: Path) -> "Modules":
        """Modules of these texts: the same where they are known, since importing some twice is an error
        (a dataset's builder registers its name)."""
        new = cls(texts, folder)
        same = [m for m in _known if (m.folder, m.texts) == (new.folder, new.texts)]
        if not same:
            _known.append(new)
        return same[0] if same else new

    def __enter__(self) -> "Modules":
        sys.path.insert(0, str(self.folder))
        for other in _known:  # the last one stays, for what is imported only when it is needed
            if other is not self and other in sys.meta_path:
                sys.meta_path.remove(other)
                other._loaded |= {n: sys.modules.pop(n) for n in other._names if n in sys.modules}
        if self not in sys.meta_path:
            for name in self._names:
                sys.modules.pop(name, None)  # imported by another way, perhaps from another text
            sys.modules.update(self._loaded)
            sys.meta_path.insert(0, self)
        return self

    def __exit__(self, *exception: Any) -> None:
        sys.path.remove(str(self.folder))

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self._names:
            return None
        file = self.folder / self._names[fullname]
        inside = [str(file.parent)] if file.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(
            fullname, file, loader=self, submodule_search_locations=inside
        )

    def exec_module(self, module: ModuleType) -> None:
        assert module.__file__
        text = self.texts[self._names[module.__name__]]
        exec(compile(text, module.__file__, "exec", dont_inherit=True), module.__dict__)


_known: list[Modules] = []


def run_text(name: str, path: Path, text: str) -> ModuleType:
    """A file's text as a module called ``name``; to be used within its ``Modules``."""
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # where dataclasses, so flax's modules, look for it
    exec(compile(text, str(path), "exec", dont_inherit=True), module.__dict__)
    return module
