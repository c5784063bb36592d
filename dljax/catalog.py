"""Catalog of architectures and claims, read from the text of files: no jax, no registry."""

import ast
import statistics
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from dljax.claims import Claim
from dljax.errors import UserError
from dljax.knobs import read_knobs

_PACKAGE = Path(__file__).parent


class Measured(NamedTuple):
    """A row of the ledger: the values of a claim's metrics, and their circumstances.

    Attributes:
        experiment: the file, as "experiments/convnets/lenet.py".
        claim: the name of its row.
        values: metric -> one number per seed.
        data: the folder in $DLJAX_DATA that ``--data`` names; "" for none.
        seconds: of the whole command.
    """

    experiment: str
    claim: str
    values: Mapping[str, list[float]]
    seeds: list[int]
    commit: str
    date: Any
    seconds: float
    hardware: str
    profile: str = "cpu"
    data: str = ""

    def mean(self, metric: str) -> float:
        """The mean over seeds; NaN for a metric that was not measured."""
        return statistics.fmean(self.values.get(metric) or [float("nan")])

    def deviation(self, metric: str) -> float | None:
        """The standard deviation over seeds; None for one seed."""
        given = self.values.get(metric, [])
        return statistics.stdev(given) if len(given) > 1 else None


class Parity(NamedTuple):
    """A row of the ledger: outputs equal to an independent implementation's on the same weights."""

    architecture: str
    test: str
    commit: str
    date: Any


class Ledger(NamedTuple):
    """The rows of ledger.toml."""

    measured: list[Measured]
    parity: list[Parity]


@dataclass(frozen=True)
class Row:
    """A claim of an experiment file, and its row in the ledger.

    Attributes:
        file: as "experiments/convnets/lenet.py".
        default: the claim is the file's first.
        measured: None for a claim that was not.
    """

    file: str
    claim: Claim
    default: bool
    measured: Measured | None = None

    @property
    def name(self) -> str:
        return f"{Path(self.file).stem}:{self.claim.name}"

    @property
    def holds(self) -> bool:
        """It was measured, and the means over seeds meet every expectation."""
        found, expect = self.measured, self.claim.expect
        if found is None or not expect:
            return False
        return all(e.holds(found.mean(e.metric)) for e in expect)

    @property
    def level(self) -> int:
        """The level that its architectures have from it: 4 with a published figure, 2 without."""
        return 1 if not self.holds else 4 if self.claim.published else 2

    def command(self, seeds: Sequence[int] = (), data: str = "") -> str:
        """The command line that measures it, by default with the ledger's seeds and data.

        Args:
            data: a folder in $DLJAX_DATA.
        """
        if self.measured:
            seeds, data = seeds or self.measured.seeds, data or self.measured.data
        words = [self.file] if self.default else [self.file, "--claim", self.claim.name]
        words += ["--data", f"$DLJAX_DATA/{data}"] * bool(data)
        if self.claim.sweep:
            return " ".join(["dljax sweep", *words])
        if len(seeds) > 1:
            whole = list(seeds) == list(range(seeds[0], seeds[-1] + 1))
            named = f"{seeds[0]}:{seeds[-1] + 1}" if whole else ",".join(map(str, seeds))
            return " ".join(["dljax sweep", *words, "--seed", named, "--apart"])
        words += [f"--seed {seed}" for seed in seeds if seed]
        return " ".join(["dljax train", *words])


@dataclass(frozen=True)
class Architecture:
    """One model file.

    Attributes:
        name: of the file.
        family: of its folder.
        paper: the first paragraph of its docstring.
        level: 1 implemented, 2 learns, 3 parity, 4 reproduced.
        variants: the rows of VARIANTS.
        published: variant -> trainable parameters; may be empty where there is no gradient.
        gradient_free: the reason why it has no gradient, or "".
        experiments: the experiment files that import it; what is not Python is left out.
        tasks: what those files import of ``dljax.tasks`` and ``dljax.rules``, as "tasks.language".
        claims: made in those files.
    """

    name: str
    family: str
    paper: str
    level: int
    variants: tuple[str, ...]
    published: dict[str, int]
    gradient_free: str
    experiments: tuple[Path, ...]
    tasks: tuple[str, ...] = ()
    claims: tuple[Row, ...] = ()

    @property
    def module(self) -> str:
        """The dotted name of the model file."""
        return f"dljax.models.{self.family}.{self.name}"


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    out: dict[str, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            out[node.targets[0].id] = node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            out[node.target.id] = node.value
    return out


def ledger(path: Path | None = None) -> Ledger:
    """The rows of a ledger, by default of dljax's own."""
    found = tomllib.loads((path or _PACKAGE / "ledger.toml").read_text(encoding="utf-8"))
    return Ledger(
        [Measured(**row) for row in found.get("measured", [])],
        [Parity(**row) for row in found.get("parity", [])],
    )


def experiments_folder() -> Path | None:
    """The folder ``experiments`` here, or beside the package in a checkout; None without either."""
    for folder in (Path("experiments"), _PACKAGE.parent / "experiments"):
        if folder.is_dir():
            return folder
    return None


def _imported(tree: ast.Module, *rooms: str) -> Iterator[str]:
    """The modules of rooms of dljax that a file imports, as "tasks.name" or "models.family.name"."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dljax."):
            room, *parts = node.module.split(".")[1:]  # type: ignore[union-attr]
            depth = 2 if room == "models" else 1
            for alias in node.names if room in rooms else ():
                found = [*parts, alias.name][:depth]
                if len(found) == depth:
                    yield ".".join([room, *found])


def imported_models(path: Path) -> Iterator[str]:
    """The model modules that a file imports, as "family.name"."""
    for name in _imported(ast.parse(path.read_bytes()), "models"):
        yield name.removeprefix("models.")


class _File(NamedTuple):
    """An experiment file, what it imports of models, tasks and rules, and its claims."""

    path: Path
    imports: frozenset[str]
    claims: tuple[Row, ...]


def _files() -> list[_File]:
    """The experiment files, sorted; one that is not Python is left out, wrong claims are none."""
    known = {(row.experiment, row.claim): row for row in ledger().measured}
    folder = experiments_folder() or Path("experiments")
    out = []
    for path in sorted(folder.rglob("*.py")):
        try:
            tree = ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError):
            continue  # somebody's file in the making: training on it says what is wrong
        try:
            claims = read_knobs(path).claims
        except UserError:
            claims = {}
        file = f"experiments/{path.relative_to(folder).as_posix()}"
        made = [
            Row(file, claim, number == 0, known.get((file, claim.name)))
            for number, claim in enumerate(claims.values())
        ]
        # What tasks are made of is none.
        imports = frozenset(_imported(tree, "models", "tasks", "rules")) - {"tasks.supervised"}
        out.append(_File(path, imports, tuple(made)))
    return out


def rows() -> list[Row]:
    """Every claim of every experiment file, in the order of the files."""
    return [row for file in _files() for row in file.claims]


def architectures() -> list[Architecture]:
    """Every model file, in the order of family and name."""
    files, equal = _files(), {row.architecture for row in ledger().parity}
    out = []
    for path in sorted((_PACKAGE / "models").glob("*/*.py")):
        tree = ast.parse(path.read_bytes())
        constants = _constants(tree)
        if "MODEL" not in constants:
            continue
        variants = constants["VARIANTS"]
        assert isinstance(variants, ast.Dict), f"{path}: VARIANTS must be written as a dict"
        name, family = path.stem, path.parent.name
        published, reason = constants.get("PUBLISHED"), constants.get("GRADIENT_FREE")
        users = [file for file in files if f"models.{family}.{name}" in file.imports]
        made = [row for file in users for row in file.claims]
        imports = {part for file in users for part in file.imports}
        out.append(
            Architecture(
                name,
                family,
                " ".join((ast.get_docstring(tree) or "").split("\n\n")[0].split()),
                max([3 if name in equal else 1, *(row.level for row in made)]),
                tuple(ast.literal_eval(key) for key in variants.keys if key is not None),
                ast.literal_eval(published) if published else {},
                ast.literal_eval(reason) if reason else "",
                tuple(file.path for file in users),
                tuple(sorted(part for part in imports if not part.startswith("models."))),
                tuple(made),
            )
        )
    return out
