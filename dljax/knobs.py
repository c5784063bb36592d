"""The knobs of an experiment file, read from its text so that a mistyped one is told at once.

The keyword parameters of ``def experiment(*, epochs: float = 10, ...)`` are the command line, the
schema and the record of a run. Types: int, float, str, bool, ``Literal[...]``, and each with ``| None``.
A file may bound its numbers in the signature: ``radius: Annotated[float, "> 0, <= 1"] = 0.5``.
"""

import ast
import math
import operator
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dljax.claims import APART, WORDS, Claim, read_claims
from dljax.code import read_source
from dljax.errors import UserError, nearest

_SCALARS = {"int": int, "float": float, "str": str, "bool": bool}
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

_COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_SAID = {">=": "at least", "<=": "at most", ">": "above", "<": "below"}
_BOUND = re.compile(r"\s*(>=|<=|>|<)\s*([-+.\de]+)\s*")

# Bounds of the knobs of these names; a file that means something else bounds them in its signature.
_BOUNDS = {
    **dict.fromkeys(("epochs", "lr"), "> 0"),
    **dict.fromkeys(("steps", "samples", "size", "crop", "context"), "> 0, < 2147483648"),
    "batch": "> 0, <= 1048576",
    **dict.fromkeys(("decay", "temperature", "warmup"), ">= 0"),
    **dict.fromkeys(("dropout", "smoothing", "momentum", "ema"), ">= 0, < 1"),
    "seed": ">= 0, < 4294967296",  # jax drops higher bits
}


def _bounds(words: str) -> tuple[tuple[str, float], ...]:
    """``">= 0, < 1"`` as pairs of a sign and a number.

    Raises:
        ValueError: ``words`` are no bounds.
    """
    found = [_BOUND.fullmatch(part) for part in words.split(",")]
    if not all(found):
        raise ValueError(words)
    return tuple((match[1], float(match[2])) for match in found if match)


@dataclass(frozen=True)
class Knob:
    """A keyword parameter of ``experiment``: its type, default, choices and bounds.

    Attributes:
        kind: "int", "float", "str" or "bool".
        optional: None is a value too.
        choices: the words of a ``Literal``; () for any.
        bounds: pairs such as (">=", 0.0), for numbers.
    """

    name: str
    kind: str
    default: Any
    optional: bool = False
    choices: tuple = ()
    bounds: tuple[tuple[str, float], ...] = ()

    @property
    def expected(self) -> str:
        """The values that it takes, in words."""
        words = " | ".join(map(str, self.choices)) if self.choices else self.kind
        limits = " and ".join(f"{_SAID[sign]} {bound:.10g}" for sign, bound in self.bounds)
        return " ".join(filter(None, (words, limits))) + (" | none" if self.optional else "")

    def parse(self, word: Any) -> Any:
        """The knob's value for a word of the command line or a value given from Python.

        Raises:
            UserError: it is none of the knob's values.
        """
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
                if not math.isfinite(value):
                    raise wrong
            else:
                if not isinstance(word, str):
                    raise wrong
                value = word
        except (ValueError, KeyError, TypeError, OverflowError):
            raise wrong from None
        if self.choices and value not in self.choices:
            raise UserError(f"--{self.name} {word}: {nearest(str(word), map(str, self.choices))}")
        if not all(_COMPARE[sign](value, bound) for sign, bound in self.bounds):
            raise wrong
        return value


@dataclass(frozen=True)
class Knobs:
    """The knobs and claims of one file, with its text and docstring as they were read."""

    path: Path
    text: bytes
    doc: str
    knobs: Mapping[str, Knob]
    claims: Mapping[str, Claim] = field(default_factory=dict)

    def find(self, name: str) -> Knob:
        """The knob of this name, in which dashes stand for underscores.

        Raises:
            UserError: there is none; the nearest name is offered.
        """
        plain = name.replace("-", "_")
        if plain not in self.knobs:
            raise UserError(f"{self.path.name} has no knob --{name}: {nearest(plain, self.knobs)}")
        return self.knobs[plain]

    def claim(self, name: str | None = None) -> Claim | None:
        """The claim of this name, or the first of all; None in a file without claims.

        Raises:
            UserError: there is none of this name.
        """
        if name is None:
            return next(iter(self.claims.values()), None)
        if name not in self.claims:
            raise UserError(f"{self.path.name} has no claim {name!r}: {nearest(name, self.claims)}")
        return self.claims[name]

    def resolve(self, given: Mapping[str, Any], claim: str | None = None) -> dict[str, Any]:
        """Values of all knobs: as given, else as the claim's row sets them, else the defaults.

        Args:
            given: name -> word of the command line, or value.
            claim: name of the row; by default the first.

        Raises:
            UserError: an unknown knob or claim, or a wrong value.
        """
        row = self.claim(claim)
        words = {self.find(name).name: value for name, value in given.items()}
        words = {**(row.knobs if row else {}), **words}
        # A default is parsed as well: 40 and --epochs 40 (a float, 40.0) are one and the same run.
        return {
            name: knob.parse(words.get(name, knob.default)) for name, knob in self.knobs.items()
        }

    def claimed(self, resolved: Mapping[str, Any], claim: str | None = None) -> Claim | None:
        """The first claim whose knobs are these; None without one, and for a fake twin.

        The seed and the place of the data do not matter.

        Args:
            resolved: values of all knobs.
            claim: consider the claim of this name only.
        """
        rows = [row for row in self.claims.values() if claim in (None, row.name)]
        return next((row for row in rows if not self.apart(resolved, row)), None)

    def apart(self, resolved: Mapping[str, Any], claim: Claim | None) -> tuple[str, ...]:
        """Names of the knobs that differ from a claim's; also "fake", of which nothing is claimed."""
        its = self.resolve({}, claim.name) if claim else {}
        names = [n for n, value in its.items() if n not in APART and resolved[n] != value]
        return tuple([*names, "fake"] if claim and resolved.get("fake") else names)


def _knob(path: Path, argument: ast.arg, default: ast.expr | None) -> Knob:
    where = f"{path.name}: knob {argument.arg!r}"
    if default is None:
        raise UserError(f"{where} has no default: give it one")
    try:
        value = ast.literal_eval(default)
    except (ValueError, TypeError):
        raise UserError(f"{where}: its default must be a literal") from None
    knob = _typed(argument, value, where)
    try:
        knob.parse(value)
    except UserError:
        raise UserError(
            f"{where}: its default {value!r} is wrong: expected {knob.expected}"
        ) from None
    return knob


def _named(annotation: ast.expr | None, name: str) -> bool:
    """True for ``Name[...]`` and ``typing.Name[...]``."""
    return (
        isinstance(annotation, ast.Subscript)
        and ast.unparse(annotation.value).rpartition(".")[2] == name
    )


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """``X`` and True for ``X | None``; else the annotation and False."""
    optional = isinstance(annotation, ast.BinOp) and ast.unparse(annotation.right) == "None"
    return (annotation.left if optional else annotation), optional


def _typed(argument: ast.arg, value: Any, where: str) -> Knob:
    annotation, optional = _without_none(argument.annotation)
    words = _BOUNDS.get(argument.arg)
    if _named(annotation, "Annotated"):
        annotation, *more = getattr(annotation.slice, "elts", [None])
        words = getattr(more[0], "value", None) if len(more) == 1 else ""
        annotation, within = _without_none(annotation)
        optional |= within
    choices: tuple[Any, ...] = ()
    kind = getattr(annotation, "id", "")
    if _named(annotation, "Literal"):
        try:
            given = ast.literal_eval(annotation.slice)
        except (ValueError, TypeError):
            raise UserError(f"{where}: Literal[...] must list its words themselves") from None
        choices = given if isinstance(given, tuple) else (given,)
        kinds = {type(word).__name__ for word in choices}
        kind = kinds.pop() if len(kinds) == 1 else ""
        if kind not in _SCALARS:
            raise UserError(
                f"{where}: Literal[...] must list words of one type, int, float, str or bool"
            )
    if kind not in _SCALARS:
        raise UserError(f"{where}: annotate it with int, float, str, bool or Literal[...]")
    try:
        bounds = _bounds(words) if words and kind in ("int", "float") else ()
    except (ValueError, AttributeError, TypeError):
        raise UserError(f"{where}: Annotated[...] takes bounds, such as '>= 0, < 1'") from None
    return Knob(argument.arg, kind, value, optional, choices, bounds)


def read_knobs(path: str | Path) -> Knobs:
    """Read a file's knobs without running it.

    Raises:
        UserError: no such file, one that does not parse or has no ``def experiment(*, ...)``, or a
            wrong knob or claim in it.
    """
    path = Path(path)
    if not os.path.isfile(path):  # pathlib's is_file raises for a word too long for a path
        near = [str(p) for p in path.parent.glob("*.py")] if os.path.isdir(path.parent) else []
        near = near or [str(p) for p in Path("experiments").rglob("*.py")]
        raise UserError(f"no experiment file {path}; {nearest(str(path), near)}")
    text = read_source(path)
    tree = ast.parse(text)
    for node in reversed(tree.body):  # of two definitions Python takes the last
        if isinstance(node, ast.FunctionDef) and node.name == "experiment":
            if node.args.args or node.args.posonlyargs or node.args.vararg or node.args.kwarg:
                raise UserError(f"{path}: experiment's knobs must follow a bare *")
            pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            found = Knobs(
                path,
                text,
                ast.get_docstring(tree) or "",
                {a.arg: _knob(path, a, default) for a, default in pairs},
            )
            claims = read_claims(tree, path.name, found.find)
            for name in ("claim", *WORDS * bool(claims)):
                if name in found.knobs:
                    raise UserError(f"{path.name}: {name!r} is a word of claims: rename the knob")
            found = replace(found, claims=claims)
            for name in claims:
                same = found.claimed(found.resolve({}, name))
                if same and same.name != name:
                    raise UserError(
                        f"{path.name}: claims {same.name!r} and {name!r} set equal knobs"
                    )
            return found
    raise UserError(
        f"{path} is no experiment: it defines no function experiment(*, knob: type = default, ...)"
    )
