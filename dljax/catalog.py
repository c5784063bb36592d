"""Catalog of architectures, read from the text of the model files: no jax, no registry."""

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parent


@dataclass(frozen=True)
class Architecture:
    """One model file.

    Attributes:
        name: of the file.
        family: of its folder.
        paper: the first paragraph of its docstring.
        level: 1 implemented, 2 learns, 3 parity, 4 reproduced: the highest claim in the ledger.
        variants: the rows of VARIANTS.
        published: variant -> trainable parameters; may be empty where there is no gradient.
        gradient_free: the reason why it has no gradient, or "".
        experiments: the experiment files that import it; files that do not parse are left out.
    """

    name: str
    family: str
    paper: str
    level: int
    variants: tuple[str, ...]
    published: dict[str, int]
    gradient_free: str
    experiments: tuple[Path, ...]

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


def ledger() -> list[dict[str, Any]]:
    """The claims of ledger.toml."""
    return tomllib.loads((_PACKAGE / "ledger.toml").read_text(encoding="utf-8")).get("claim", [])


def experiments_folder() -> Path | None:
    """The folder ``experiments`` here, or beside the package in a checkout; None without either."""
    for folder in (Path("experiments"), _PACKAGE.parent / "experiments"):
        if folder.is_dir():
            return folder
    return None


def imported_models(path: Path) -> Iterator[str]:
    """The model modules that a file imports, as "family.name"."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dljax.models."):
            parts = node.module.split(".")[2:]  # type: ignore[union-attr]
            for alias in node.names:
                yield ".".join([*parts, alias.name] if len(parts) == 1 else parts[:2])


def architectures() -> list[Architecture]:
    """Every model file, in the order of family and name."""
    folder = experiments_folder()
    users: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*.py")) if folder else []:
        try:
            names = set(imported_models(path))
        except (OSError, SyntaxError, ValueError):
            continue  # an unfinished file does not spoil the list; `dljax train` says what is wrong
        for name in names:
            users.setdefault(name, []).append(path)
    claims = ledger()
    out = []
    for path in sorted((_PACKAGE / "models").glob("*/*.py")):
        tree = ast.parse(path.read_bytes())
        constants = _constants(tree)
        if "MODEL" not in constants:
            continue
        rows = constants["VARIANTS"]
        assert isinstance(rows, ast.Dict), f"{path}: VARIANTS must be written as a dict"
        name, family = path.stem, path.parent.name
        published, reason = constants.get("PUBLISHED"), constants.get("GRADIENT_FREE")
        out.append(
            Architecture(
                name,
                family,
                " ".join((ast.get_docstring(tree) or "").split("\n\n")[0].split()),
                max([1, *(c["level"] for c in claims if c["architecture"] == name)]),
                tuple(ast.literal_eval(key) for key in rows.keys if key is not None),
                ast.literal_eval(published) if published else {},
                ast.literal_eval(reason) if reason else "",
                tuple(users.get(f"{family}.{name}", ())),
            )
        )
    return out
