"""The knobs of an experiment file: read from its text, so that a mistyped one is answered at once.

The keyword parameters of ``def experiment(*, epochs: float = 10, ...)`` are the command line, the
schema and the record of a run. Types: int, float, str, bool, ``Literal[...]``, and each with ``| None``.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dljax.code import read_source
from dljax.errors import UserError, nearest

_SCALARS = {"int": int, "float": float, "str": str, "bool": bool}
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

# What every experiment means by these names, checked before anything is loaded.
_RANGES: dict[str, tuple[str, Any]] = {
    **dict.fromkeys(("epochs", "steps", "batch", "lr"), ("above 0", lambda x: x > 0)),
    "seed": ("0 or more", lambda x: x >= 0),
    "decay": ("0 or more", lambda x: x >= 0),
    "dropout": ("in [0, 1)", lambda x: 0 <= x < 1),
    "smoothing": ("in [0, 1)", lambda x: 0 <= x < 1),
    "momentum": ("in [0, 1)", lambda x: 0 <= x < 1),
}


@dataclass(frozen=True)
class Knob:
    name: str
    kind: str  # int, float, str, bool
    default: Any
    optional: bool = False
    choices: tuple = ()

    @property
    def expected(self) -> str:
        words = " | ".join(map(str, self.choices)) if self.choices else self.kind
        return words + (" | none" if self.optional else "")

    def parse(self, word: Any) -> Any:
        """The value of a word from the command line, or of a value given from Python."""
        wrong = UserError(f"--{self.name} {word}: expected {self.expected}")
        if word is None or (isinstance(word, str) and word.lower() == "none" and self.optional):
            if self.optional:
                return None
            raise wrong
        try:
            if self.kind == "bool":
                value: Any = word if isinstance(word, bool) else _WORDS[str(word).lower()]
            elif self.kind == "int":
                value = int(word) if isinstance(word, str) else word
                if isinstance(value, float) or isinstance(value, bool) or value != int(value):
                    raise wrong
            elif self.kind == "float":
                value = float(word)
            else:
                if not isinstance(word, str):
                    raise wrong
                value = word
        except (ValueError, KeyError, TypeError):
            raise wrong from None
        if self.choices and value not in self.choices:
            raise UserError(f"--{self.name} {word}: {nearest(str(word), map(str, self.choices))}")
        if self.kind == "float" and value != value:
            raise wrong
        words, holds = _RANGES.get(self.name, ("", None))
        if holds and self.kind in ("int", "float") and not holds(value):
            raise UserError(f"--{self.name} {word}: expected {self.kind} {words}")
        return value


@dataclass(frozen=True)
class Knobs:
    """The knobs of one file, its text as it was when they were read, and its docstring."""

    path: Path
    text: bytes
    doc: str
    knobs: Mapping[str, Knob]

    def find(self, name: str) -> Knob:
        plain = name.replace("-", "_")
        if plain not in self.knobs:
            raise UserError(f"{self.path.name} has no knob --{name}: {nearest(plain, self.knobs)}")
        return self.knobs[plain]

    def resolve(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All knobs with their values: the defaults, and what is given in their place."""
        parsed = {self.find(name).name: self.find(name).parse(v) for name, v in given.items()}
        # A default is parsed as well: 40 and --epochs 40 (a float, 40.0) are one and the same run.
        return {
            name: parsed[name] if name in parsed else knob.parse(knob.default)
            for name, knob in self.knobs.items()
        }


def _knob(path: Path, argument: ast.arg, default: ast.expr | None) -> Knob:
    where = f"{path.name}: knob {argument.arg!r}"
    if default is None:
        raise UserError(f"{where} has no default: give it one")
    try:
        value = ast.literal_eval(default)
    except ValueError:
        raise UserError(f"{where}: its default must be a literal") from None
    knob = _typed(argument, value, where)
    try:
        knob.parse(value)
    except UserError:
        raise UserError(
            f"{where}: its default {value!r} is wrong: expected {knob.expected}"
        ) from None
    return knob


def _typed(argument: ast.arg, value: Any, where: str) -> Knob:
    annotation = argument.annotation
    optional = False
    if isinstance(annotation, ast.BinOp):  # X | None
        optional, annotation = True, annotation.left
    if isinstance(annotation, ast.Name) and annotation.id in _SCALARS:
        return Knob(argument.arg, annotation.id, value, optional)
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value).endswith("Literal"):
        choices = ast.literal_eval(annotation.slice)
        choices = choices if isinstance(choices, tuple) else (choices,)
        return Knob(argument.arg, type(choices[0]).__name__, value, optional, choices)
    raise UserError(f"{where}: annotate it with int, float, str, bool or Literal[...]")


def read_knobs(path: str | Path) -> Knobs:
    """Read a file's knobs without running it.

    Raises:
        UserError: no such file, a file that does not parse, or one without ``def experiment(*, ...)``.
    """
    path = Path(path)
    if not path.is_file():
        near = [str(p) for p in path.parent.glob("*.py")] if path.parent.is_dir() else []
        near = near or [str(p) for p in Path("experiments").rglob("*.py")]
        raise UserError(f"no experiment file {path}; {nearest(str(path), near)}")
    text = read_source(path)
    tree = ast.parse(text)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "experiment":
            if node.args.args or node.args.posonlyargs:
                raise UserError(f"{path}: experiment's knobs must follow a bare *")
            pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            knobs = {a.arg: _knob(path, a, default) for a, default in pairs}
            return Knobs(path, text, ast.get_docstring(tree) or "", knobs)
    raise UserError(
        f"{path} is no experiment: it defines no function experiment(*, knob: type = default, ...)"
    )
