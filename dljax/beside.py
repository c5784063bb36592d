"""The modules beside an experiment's file: what they say is part of what the experiment means.

They are read once, and imported from what was read: what a run records is what has run, however soon
the files are edited.
"""

import ast
import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import io
import sys
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
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


def write_source(path: Path, text: str) -> None:
    """Store a text so that ``read_source`` gives it back, in the encoding that it names, if it does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    encoding, _ = tokenize.detect_encoding(io.BytesIO(text.encode()).readline)
    path.write_text(text, encoding=encoding)


def _imports(text: str, package: str) -> Iterator[tuple[str, bool]]:
    """The dotted names that a module of ``package`` ("" for none) imports, some of which may be no
    modules, and whether what is below them may be imported as well (by ``*`` or a computed name)."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, False) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join(filter(None, [*(above if node.level else []), node.module]))
            if base:
                yield base, any(alias.name == "*" for alias in node.names)
                yield from ((f"{base}.{alias.name}", False) for alias in node.names)
        elif isinstance(node, ast.Call) and node.args:
            called = ast.unparse(node.func).rpartition(".")[2]
            words = [
                part.value
                for part in ast.walk(node.args[0])
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            ]
            if called in ("import_module", "__import__") and words:
                name = package if words[0].startswith(".") else words[0].partition(".")[0]
                if name:
                    yield name, True


def _is_beside(name: str, folder: Path) -> bool:
    """Whether ``import name`` finds a file of ``folder``: as Python looks for it with the folder first,
    so that a folder named like a library that is installed is not taken for it."""
    spec = importlib.machinery.PathFinder.find_spec(name, [str(folder), *sys.path])
    if spec is None or name == "dljax":
        return False
    places = [spec.origin] if spec.has_location else list(spec.submodule_search_locations or [])
    return any(place and Path(place).is_relative_to(folder) for place in places)


def _files(name: str, below: bool, folder: Path) -> Iterator[Path]:
    """The files of a dotted name in ``folder``, its packages' first: a package before a module, as in
    Python."""
    stem = folder
    for part in name.split("."):
        stem = stem / part
        yield from [f for f in (stem / "__init__.py", stem.with_suffix(".py")) if f.is_file()][:1]
    if below and stem.is_dir():
        for file in sorted(stem.rglob("*.py")):
            if all(part.isidentifier() for part in file.relative_to(folder).with_suffix("").parts):
                yield file


def _dotted(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


class _Loader(importlib.machinery.SourceFileLoader):
    """A module's loader that runs a text, whatever its file says by now."""

    def __init__(self, name: str, path: Path, text: str, shown: Path):
        super().__init__(name, str(path))
        self._text, self._shown = text, str(shown)

    def get_source(self, fullname: str) -> str:
        return self._text

    def get_code(self, fullname: str) -> Any:
        return compile(self._text, self._shown, "exec", dont_inherit=True)


class Modules(importlib.abc.MetaPathFinder):
    """Modules beside an experiment's file, as they were when they were read; in a ``with`` statement
    they are what is imported by their names.

    Attributes:
        texts: path in the folder -> text.
        folder: that they lie in; whatever else is there can be imported too.
        copies: the folder with a run's copies of them, where they come from one; errors name those.
    """

    def __init__(self, texts: Mapping[str, str], folder: Path, copies: Path | None = None):
        self.texts, self.folder, self.copies = dict(texts), folder, copies
        self._files: dict[str, str | None] = {_dotted(file): file for file in self.texts}
        for name in list(self._files):
            while name := name.rpartition(".")[0]:
                self._files.setdefault(name, None)  # a folder without __init__.py
        self._roots = {name.partition(".")[0] for name in self._files}
        self._loaded: dict[str, ModuleType] = {}
        self._displaced: list[dict[str, ModuleType]] = []

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
            for name, below in _imports(*todo.pop()):
                root = name.partition(".")[0]
                if root not in roots:
                    roots[root] = _is_beside(root, folder)
                if not roots[root]:
                    continue
                for file in _files(name, below, folder):
                    at = file.relative_to(folder).as_posix()
                    if at not in found:
                        found[at] = read_source(file)
                        inside = file.name == "__init__.py"
                        package = _dotted(at) if inside else _dotted(at).rpartition(".")[0]
                        todo.append((found[at], package))
        return cls.known(found, folder)

    @classmethod
    def known(cls, texts: Mapping[str, str], folder: Path, copies: Path | None = None) -> "Modules":
        """Modules of these texts: the same where they were asked for before, since to import some twice
        is an error (a dataset's builder registers its name)."""
        return _known(tuple(sorted(texts.items())), folder, copies)

    def _ours(self) -> dict[str, ModuleType]:
        return {n: m for n, m in sys.modules.items() if n.partition(".")[0] in self._roots}

    def __enter__(self) -> "Modules":
        others = {n: m for n, m in self._ours().items() if self._loaded.get(n) is not m}
        for name in others:
            del sys.modules[name]
        sys.modules.update(self._loaded)
        sys.path.insert(0, str(self.folder))
        sys.meta_path.insert(0, self)
        self._displaced.append(others)
        return self

    def __exit__(self, *exception: Any) -> None:
        sys.meta_path.remove(self)
        with contextlib.suppress(ValueError):  # whoever ran in between may have changed it
            sys.path.remove(str(self.folder))
        self._loaded = self._ours()
        # Another folder's modules of the same names come back; an older text of this one's does not.
        for name, module in self._displaced.pop().items():
            file = getattr(module, "__file__", None)
            if file and not Path(file).is_relative_to(self.folder):
                root = name.partition(".")[0]
                for ours in [n for n in self._loaded if n.partition(".")[0] == root]:
                    if sys.modules.get(ours) is self._loaded[ours]:
                        del sys.modules[ours]
                sys.modules[name] = module

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self._files or target is not None:  # a reload wants the file
            return None
        file = self._files[fullname]
        if file is None:
            spec = importlib.machinery.ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [str(self.folder.joinpath(*fullname.split(".")))]
            return spec
        at = self.folder / file
        shown = (self.copies or self.folder) / file
        return importlib.util.spec_from_file_location(
            fullname,
            at,
            loader=_Loader(fullname, at, self.texts[file], shown),
            submodule_search_locations=[str(at.parent)] if at.name == "__init__.py" else None,
        )


@cache
def _known(texts: tuple[tuple[str, str], ...], folder: Path, copies: Path | None) -> Modules:
    return Modules(dict(texts), folder, copies)


def run_text(name: str, file: Path, text: str, shown: Path) -> ModuleType:
    """A file's text as a module called ``name``, within its ``Modules``; errors name ``shown``."""
    module = ModuleType(name)
    module.__file__ = str(file)
    sys.modules[name] = module  # where dataclasses, so flax's modules, look for it
    exec(compile(text, str(shown), "exec", dont_inherit=True), module.__dict__)
    return module
