"""The code that a run means: its experiment file, and the modules that the file imports.

Imports are followed in the file's folder and in the rooms of dljax that say what is computed
(``MEANING``). The other rooms say where and how a run goes, so a change there makes no other run.
Text is read and nothing is imported, so only names that are written out are followed.
"""

import ast
import glob
import hashlib
import importlib.machinery
import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import dljax
from dljax.errors import UserError

PACKAGE = Path(__file__).parent
# The rooms that say what is computed, and three modules with arithmetic of theirs: draws by row
# (axes), means (types), the start of a phase (experiment).
_ROOMS = {"models", "nn", "tasks", "rules", "learner", "data", "weights"}
MEANING = _ROOMS | {"axes", "types", "experiment"}


def read_source(path: Path) -> bytes:
    """A Python file's bytes, checked to be Python.

    Raises:
        UserError: it cannot be read or does not parse.
    """
    try:
        text = path.read_bytes()
        _parsed(text)
        return text
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except (SyntaxError, UnicodeDecodeError, ValueError) as error:
        line = getattr(error, "lineno", None)
        where = f" (line {line})" if line else ""
        raise UserError(f"{path} is not Python{where}: {error}") from None


class _Import(NamedTuple):
    """A dotted name that may be a module.

    Attributes:
        level: number of dots before it.
        below: modules below it may be imported as well, by ``*`` or by a computed name.
    """

    level: int
    name: str
    below: bool = False

    def within(self, package: str) -> str:
        """The absolute name, for a module of ``package``."""
        above = package.split(".")[: len(package.split(".")) - self.level + 1]
        return ".".join(filter(None, [*(above if self.level else []), self.name]))


def _imports(tree: ast.AST) -> Iterator[_Import]:
    bound: dict[str, _Import] = {}  # local name -> the imported name
    chains = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (found := _Import(0, alias.name))
                bound[alias.asname or alias.name] = found
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            yield _Import(node.level, base, any(alias.name == "*" for alias in node.names))
            for alias in node.names:
                yield (found := _Import(node.level, f"{base}.{alias.name}".lstrip(".")))
                bound[alias.asname or alias.name] = found
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
            chains.append(node)
        elif isinstance(node, ast.Call) and node.args:
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called not in ("import_module", "__import__"):
                continue
            parts = [p.value for p in ast.walk(node.args[0]) if isinstance(p, ast.Constant)]
            words = [word for word in parts if isinstance(word, str)]
            if words:
                root = words[0].partition(".")[0]
                yield _Import(0 if root else 1, root, True)
    for node in chains:  # `dljax.models.build` after `import dljax` is an import as well
        rest, head = [node.attr], node.value
        while isinstance(head, ast.Attribute):
            rest, head = [head.attr, *rest], head.value
        if isinstance(head, ast.Name) and head.id in bound:
            start = bound[head.id]
            yield _Import(start.level, ".".join(filter(None, [start.name, *rest])))


def _shape(node: Any) -> str:
    """A syntax tree as text without docstrings, equal in all versions of Python.

    Empty fields are left out, since they are absent in some versions.
    """
    if isinstance(node, list):
        return f"[{','.join(map(_shape, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    out = []
    for name, value in ast.iter_fields(node):
        if name == "body" and value and isinstance(value, list) and isinstance(value[0], ast.Expr):
            says = value[0].value
            if isinstance(says, ast.Constant) and isinstance(says.value, str):
                value = value[1:]
        if value is not None and value != []:
            out.append(f"{name}={_shape(value)}")
    return f"{type(node).__name__}({','.join(out)})"


def _about_runs(node: ast.stmt) -> bool:
    """True for the statements that set CLAIMS or SMALL, which change no run."""
    names = [getattr(t, "id", "") for t in node.targets] if isinstance(node, ast.Assign) else []
    return names in (["CLAIMS"], ["SMALL"])


@cache
def _parsed(text: bytes | str) -> tuple[str, tuple[_Import, ...]]:
    tree = ast.parse(text)
    imports = tuple(dict.fromkeys(_imports(tree)))
    tree.body = [node for node in tree.body if not _about_runs(node)]
    digest = hashlib.sha256(_shape(tree).encode("utf-8", "surrogatepass")).hexdigest()
    return digest[:16], imports


def meaning(text: bytes | str) -> str:
    """A digest of a file's code without comments, layout, docstrings and claims."""
    return _parsed(text)[0]


def module_name(file: str) -> str:
    """``nets/small.py`` as ``nets.small``, ``nets/__init__.py`` as ``nets``."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _is_beside(root: str, folder: Path) -> bool:
    """True where ``import root`` finds a file of ``folder``, with that folder first on the path.

    A plain folder with the name of an installed library is not taken for it.

    Raises:
        UserError: the file has the name of a module of Python's own, which may be loaded already.
    """
    spec = importlib.machinery.PathFinder.find_spec(root, [str(folder), *sys.path])
    at = folder / root
    files = {str(at), str(at / "__init__.py"), str(at.with_suffix(".py"))}
    places = [spec.origin, *(spec.submodule_search_locations or [])] if spec else []
    if files.isdisjoint(places):
        return False
    if root in sys.stdlib_module_names:
        raise UserError(f"{at} has the name of a module of Python's own: call it something else")
    return True


def _files(name: str, below: bool, base: Path) -> Iterator[str]:
    """The files of a dotted name in ``base``, outer packages first.

    As in Python, a package is found before a module of the same name.
    """
    stem = base
    for part in name.split("."):
        stem = stem / part
        found = [f for f in (stem / "__init__.py", stem.with_suffix(".py")) if f.is_file()]
        yield from (f.relative_to(base).as_posix() for f in found[:1])
    for file in sorted(stem.rglob("*.py")) if below else ():
        inner = file.relative_to(base)
        if all(part.isidentifier() for part in inner.with_suffix("").parts):
            yield inner.as_posix()


def _in_dljax(name: str, below: bool) -> Iterator[str]:
    """The files of a name of dljax, in rooms of ``MEANING`` only."""
    _, _, rest = name.partition(".")
    name = dljax._HOMES.get(rest.partition(".")[0], name)
    for file in _files(name, below, PACKAGE.parent):
        if file.split("/")[1].removesuffix(".py") in MEANING:
            yield file


def closure(file: Path, text: bytes) -> dict[str, bytes]:
    """File -> text, for an experiment file with this text and all that it imports, directly or not.

    Files are named from the experiment file's folder, or ``dljax/...``.

    Raises:
        UserError: a file cannot be read or does not parse.
    """
    folder = file.resolve().parent
    found = {file.name: text}
    beside: dict[str, bool] = {"dljax": False}
    todo = [(text, "")]
    while todo:
        text, package = todo.pop()
        for one in _parsed(text)[1]:
            name = one.within(package)
            root = name.partition(".")[0]
            if root not in beside:
                beside[root] = bool(root) and _is_beside(root, folder)
            if root == "dljax":
                base, names = PACKAGE.parent, _in_dljax(name, one.below)
            elif beside[root]:
                base, names = folder, _files(name, one.below, folder)
            else:
                continue
            for at in names:
                if at not in found:
                    found[at] = read_source(base / at)
                    inside = at.endswith("__init__.py")
                    parent = module_name(at) if inside else module_name(at).rpartition(".")[0]
                    todo.append((found[at], parent))
    return found


class Origin(NamedTuple):
    """The file, the knobs and the code by which a run is known.

    Attributes:
        name: of the file, without its suffix.
        knobs: name -> value, for all knobs.
        texts: file -> text, as ``closure`` gives them.
        file: absolute path; None for an experiment of no file.
    """

    name: str = ""
    knobs: Mapping[str, Any] = MappingProxyType({})
    texts: Mapping[str, bytes] = MappingProxyType({})
    file: Path | None = None

    @classmethod
    def of_file(cls, path: Path, knobs: Mapping[str, Any], text: bytes | None = None) -> "Origin":
        """The origin of a file, whose ``text`` may have been read already; nothing is run."""
        text = read_source(path) if text is None else text
        return cls(path.stem, knobs, closure(path, text), path.absolute())

    @property
    def code(self) -> dict[str, str]:
        """File -> digest of its meaning."""
        return {file: meaning(text) for file, text in sorted(self.texts.items())}


def differing(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """The names of up to five files whose meaning differs, in words; "" for none."""
    names = sorted(file for file in {*then, *now} if then.get(file) != now.get(file))
    more = f" and {len(names) - 4} more" if len(names) > 5 else ""
    return ", ".join(names[: 4 if more else 5]) + more


def default_workdir(origin: Origin) -> Path:
    """``runs/<name>-<hash of knobs and code>``: the same command finds its own folder again."""
    identity = json.dumps([dict(origin.knobs), origin.code], sort_keys=True, default=str)
    return Path("runs") / f"{origin.name}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"


def made_last(
    path: Path, name: str, knobs: Mapping[str, Any]
) -> tuple[Path, dict[str, str]] | None:
    """The folder and the code of the newest run beside ``path`` with this name and these knobs.

    None where there is no such run, ``path`` itself apart.
    """
    found = []
    for file in path.parent.glob(f"{glob.escape(name)}-*/record.json"):
        try:
            record = json.loads(file.read_text())
            if file.parent != path and (record["experiment"], record["knobs"]) == (name, knobs):
                found.append((record["started"], file.stat().st_mtime, file.parent, record["code"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # no readable record
    return max(found)[2:] if found else None


def store(origin: Origin, target: Path) -> None:
    """Write the code to ``target``, a folder that can be put in front of Python's path.

    It holds the file, the modules beside it and all of dljax, which they need to run. An old
    ``target`` is removed, and the new one appears complete or not at all.
    """
    files = dict(origin.texts)
    if any(file.startswith("dljax/") for file in files):
        rest = [f for f in PACKAGE.rglob("*") if f.is_file() and f.suffix not in (".pyc", ".pyo")]
        named = {f.relative_to(PACKAGE.parent).as_posix(): f for f in rest}
        files |= {name: f.read_bytes() for name, f in named.items() if name not in files}
    begun = target.with_name(f"{target.name}.tmp")
    for old in (begun, target):
        if old.exists():
            shutil.rmtree(old)
    for name, text in files.items():
        (begun / name).parent.mkdir(parents=True, exist_ok=True)
        (begun / name).write_bytes(text)
    if files:
        begun.rename(target)


def lay_out(code: Path, folder: Path, target: Path) -> None:
    """Copy stored code to ``target``, with links to the other files of its original ``folder``."""
    target.mkdir(exist_ok=True)
    for entry in code.iterdir():
        if entry.name == "dljax":
            shutil.copytree(entry, target / "dljax")
        elif entry.is_dir():
            lay_out(entry, folder / entry.name, target / entry.name)
        else:
            shutil.copyfile(entry, target / entry.name)
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.name not in ("__pycache__", "dljax") and not (target / entry.name).exists():
            (target / entry.name).symlink_to(entry)
