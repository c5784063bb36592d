"""Claims: rows of an experiment file, each with knobs and the numbers expected of them.

They are read from the file's text, so they are literals:

    CLAIMS = {
        "digits": {"expect": "test/accuracy >= 0.98"},
        "mnist": {"dataset": "mnist", "epochs": 5, "expect": "test/accuracy >= 0.99",
                  "published": "0.95 % error", "sweep": "--seed 0:5"},
    }

The first row is the default one.
"""

import ast
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from dljax.errors import UserError

if TYPE_CHECKING:
    from dljax.knobs import Knob

WORDS = ("expect", "published", "sweep")  # keys of a row that are no knobs
# A claim holds for every seed, wherever the data and what belongs to it lie, whoever judges; nothing is claimed of a fake
# twin.
APART = ("seed", "data", "vocabulary", "tokenizer", "vectors", "judge", "fake")

_EXPECT = re.compile(r"\s*(\S+)\s*(>=|<=)\s*(\S+)\s*")
_SWEEP = re.compile(r"--([^=\s]+)(?:=|\s+)(\S+)\s*")


class Expect(NamedTuple):
    """A bound on a metric at the end of a run."""

    metric: str
    sign: str  # ">=" or "<="
    bound: float

    def holds(self, value: float) -> bool:
        """True where ``value`` is within the bound; NaN never is."""
        return value >= self.bound if self.sign == ">=" else value <= self.bound

    def __str__(self) -> str:
        return f"{self.metric} {self.sign} {self.bound:g}"


@dataclass(frozen=True)
class Claim:
    """A row of CLAIMS.

    Attributes:
        knobs: name -> value, of the knobs that the row sets.
        expect: bounds; the first one's metric ranks the checkpoints.
        published: the figure in the literature; "" for none.
        sweep: options for ``dljax sweep``, such as "--seed 0:10"; "" for none.
    """

    name: str
    knobs: Mapping[str, Any]
    expect: tuple[Expect, ...] = ()
    published: str = ""
    sweep: str = ""

    @property
    def swept(self) -> dict[str, str]:
        """Knob -> its values as ``sweep`` gives them, such as "0:10"."""
        return {found[1]: found[2] for found in _SWEEP.finditer(self.sweep)}

    def __str__(self) -> str:
        given = [f"--{k} {'none' if v is None else v}" for k, v in self.knobs.items()]
        parts = [" ".join(given), *map(str, self.expect)]
        parts += [f"published: {self.published}"] if self.published else []
        parts += [f"dljax sweep {self.sweep}"] if self.sweep else []
        return "; ".join(filter(None, parts))


def _expected(words: Any) -> Expect:
    found = _EXPECT.fullmatch(words) if isinstance(words, str) else None
    try:
        bound = float(found[3]) if found else math.nan
    except ValueError:
        bound = math.nan
    if found is None or not math.isfinite(bound):
        raise UserError(
            f"expect {words!r}: expected METRIC >= NUMBER or <=, such as 'test/accuracy >= 0.98'"
        )
    return Expect(found[1], found[2], bound)


def _claim(name: str, row: Mapping[str, Any], find: Callable[[str], "Knob"]) -> Claim:
    knobs = {}
    for key, value in row.items():
        if key in WORDS:
            continue
        knob = find(str(key))
        if knob.name in APART:
            raise UserError(f"a claim cannot set --{knob.name}: leave it out")
        knobs[knob.name] = knob.parse(value)
    given = row.get("expect", ())
    expect = tuple(map(_expected, given if isinstance(given, tuple | list) else [given]))
    if len({e.metric for e in expect}) < len(expect):
        raise UserError("one metric is expected twice")
    published, sweep = row.get("published", ""), row.get("sweep", "")
    for key, words in (("published", published), ("sweep", sweep)):
        if not isinstance(words, str):
            raise UserError(f"{key} {words!r}: expected a string")
    if not re.fullmatch(f"({_SWEEP.pattern})*", sweep):
        raise UserError(f"sweep {sweep!r}: expected --knob values, such as '--seed 0:10'")
    claim = Claim(name, knobs, expect, published, sweep)
    for option in claim.swept:
        find(option)
    return claim


def read_claims(tree: ast.Module, where: str, find: Callable[[str], "Knob"]) -> dict[str, Claim]:
    """The claims of a parsed file; none where it has no CLAIMS.

    Args:
        where: the file, for messages.
        find: a knob by its name; raises UserError where there is none.

    Raises:
        UserError: CLAIMS is no literal dict of dicts, or a row is wrong; the first fault is told.
    """
    stored = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == "CLAIMS" and isinstance(node.ctx, ast.Store)
    ]
    if not stored:
        return {}
    rows: Any = None
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if len(stored) == 1 and targets == stored and isinstance(node, ast.Assign | ast.AnnAssign):
            rows = _literal(node.value)
    if not rows or not all(isinstance(row, dict) for row in rows.values()):
        raise UserError(
            f"{where}: CLAIMS must be a literal dict with a row or more, each key written once: "
            "{name: {knob: value, 'expect': 'METRIC >= NUMBER'}}"
        )
    claims: dict[str, Claim] = {}
    for name, row in rows.items():
        if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]*", name):
            raise UserError(
                f"{where}: claim {name!r}: expected a name of letters, digits and . _ -"
            )
        try:
            claims[name] = _claim(name, row, find)
        except UserError as error:
            raise UserError(f"{where}: claim {name!r}: {error}") from None
    return claims


def _literal(node: ast.expr | None) -> dict[Any, Any] | None:
    """The value of a literal dict; None for another expression, or where a key is written twice."""
    try:
        value = ast.literal_eval(node) if isinstance(node, ast.Dict) else None
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    once = all(
        len({ast.dump(key) for key in inner.keys if key}) == len(inner.keys)
        for inner in ast.walk(node or ast.Dict([], []))
        if isinstance(inner, ast.Dict)
    )
    return value if once else None
