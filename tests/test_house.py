"""The house's own rules: imports between rooms, imports that are banned, deletion, docstrings."""

import ast
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from dljax import catalog

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "dljax"
FILES = sorted(PACKAGE.rglob("*.py"))

# room -> the rooms of dljax that it may import from, beside itself
NEUTRAL = {"types", "errors", "axes", "blocks", "folders", "unpickling"}
MAY_IMPORT = {
    "nn": NEUTRAL,
    "models": NEUTRAL | {"nn"},
    "tasks": NEUTRAL | {"learner", "nn"},
    "rules": NEUTRAL | {"learner", "tasks"},
    "learner": NEUTRAL,
    "data": NEUTRAL,
    "weights": NEUTRAL | {"learner", "experiment", "runtime"},
    "code": NEUTRAL,
    "experiment": NEUTRAL | {"data", "learner", "claims", "code"},
    "loading": NEUTRAL | {"experiment", "knobs", "code"},
    "claims": NEUTRAL | {"knobs"},
    "knobs": NEUTRAL | {"claims", "code"},
    "catalog": NEUTRAL | {"claims", "knobs"},
    "runtime": NEUTRAL | {"data", "learner", "experiment", "loading", "code", "claims"},
    "analysis": NEUTRAL
    | {"data", "learner", "experiment", "knobs", "catalog", "runtime", "models", "nn", "tasks"},
}
NO_LINEN = ("learner", "runtime", "data", "experiment")
# Docstrings begin with a noun or a verb, so with none of these; and one thing has one word.
CLAUSES = {"what", "that", "those", "which", "how", "where", "whether"}
FORMER_WORDS = re.compile(r"\b(objectives?|views?|carry|carries|carried)\b", re.IGNORECASE)


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=[str(p.relative_to(PACKAGE)) for p in FILES])
def test_imports_point_one_way(path):
    room = room_of(path)
    for name in imports(path):
        if not name.startswith("dljax."):
            assert not name.startswith("experiments"), f"{path}: nobody imports experiments"
            continue
        other = name.split(".")[1]
        if room in MAY_IMPORT and other != room:
            assert other in MAY_IMPORT[room], f"{room} must not import {other}: {path}"
    if room in NO_LINEN:
        assert not any(
            name.startswith("flax.linen") or name == "flax.linen" for name in imports(path)
        ), path


@pytest.mark.parametrize("path", FILES, ids=[str(p.relative_to(PACKAGE)) for p in FILES])
def test_no_other_framework_no_jit_in_the_learner(path):
    names = list(imports(path))
    for banned in ("torch", "tensorflow", "keras", "clu", "jraph", "haiku"):
        assert not any(n == banned or n.startswith(f"{banned}.") for n in names), (path, banned)
    if room_of(path) == "learner":
        assert "jax.jit" not in path.read_text() and "pmap(" not in path.read_text()


def test_no_file_is_long_and_none_is_called_utils():
    for path in [*FILES, *ROOT.glob("experiments/**/*.py"), *ROOT.glob("tests/**/*.py")]:
        assert path.stem != "utils"
        lines = len(path.read_text().splitlines())
        assert lines <= 400, f"{path} has {lines} lines: what second thing is in it?"


@pytest.mark.parametrize("path", FILES, ids=[str(p.relative_to(PACKAGE)) for p in FILES])
def test_docstrings(path):
    """Public modules, classes and functions have one."""
    text = path.read_text()
    tree = ast.parse(text)
    named = [node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    for node in (tree, *(node for node in named if not node.name.startswith("_"))):
        assert ast.get_docstring(node), f"no docstring: {getattr(node, 'name', 'the module')}"
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    found = (ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, documented))
    docstrings = [words for words in found if words]
    for words in docstrings:
        assert re.split(r"\W", words, maxsplit=1)[0].lower() not in CLAUSES, words
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    for words in docstrings + comments:
        assert not FORMER_WORDS.search(words), words


def test_one_definition_per_noun():
    nouns = (
        "State",
        "Player",
        "Learner",
        "Aux",
        "Batch",
        "Task",
        "Pipeline",
        "EvalSet",
        "Experiment",
        "Phase",
        "Profile",
        "Jit",
        "Mean",
        "Variables",
        "Claim",
        "Checkpoints",
    )
    homes: dict[str, list[Path]] = {noun: [] for noun in nouns}
    for path in FILES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and node.name in homes:
                homes[node.name].append(path)
    homes.pop("Batch")  # an alias
    assert {noun: len(paths) for noun, paths in homes.items()} == dict.fromkeys(homes, 1)


def test_heart_is_small():
    """learner/ and the loop, without docstrings and blank lines."""
    total = 0
    for path in [*PACKAGE.glob("learner/*.py"), PACKAGE / "runtime" / "loop.py"]:
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
                node
            ):
                node.body = node.body[1:] or [ast.Pass()]
        total += len([line for line in ast.unparse(tree).splitlines() if line.strip()])
    assert total < 400


def importers(architecture: catalog.Architecture) -> set[Path]:
    wanted = (architecture.module, f"dljax.models.{architecture.family}")
    found = set()
    for path in [*FILES, *ROOT.glob("tests/**/*.py"), *ROOT.glob("benchmarks/*.py")]:
        for name in imports(path):
            if name == wanted[0] or name.startswith(wanted[0] + "."):
                found.add(path)
    return found


@pytest.mark.parametrize("architecture", catalog.architectures(), ids=lambda a: a.name)
def test_an_architecture_can_be_deleted(architecture):
    """Nothing in the package knows it, and of the tests its own file and the parity tests alone."""
    own = ROOT / "tests" / "particular" / f"test_{architecture.name}.py"
    for path in importers(architecture) - {own}:
        outside = path.parent.name == "benchmarks" or path.name.startswith(
            ("test_parity", "parity_")
        )
        assert outside, f"{path} needs {architecture.module}: that belongs in {own}"


def test_particular_tests_are_of_an_architecture():
    names = {f"test_{architecture.name}" for architecture in catalog.architectures()}
    assert {path.stem for path in ROOT.glob("tests/particular/*.py")} <= names


def test_deleting_one_breaks_nothing(tmp_path):
    """In a copy: without the VAE, the rest is still listed, read and imported, and its tests found."""
    victim = next(a for a in catalog.architectures() if a.name == "vae")
    for name in ("dljax", "experiments", "configs", "tests", "benchmarks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "dljax" / "models" / victim.family / f"{victim.name}.py").unlink()
    (tmp_path / "tests" / "particular" / f"test_{victim.name}.py").unlink()
    for path in victim.experiments:
        (tmp_path / "experiments" / path.parent.name / path.name).unlink()
    program = """
import importlib, pathlib, pkgutil, sys
import dljax
assert dljax.__file__.startswith(sys.argv[1]), dljax.__file__
for module in pkgutil.walk_packages(dljax.__path__, "dljax."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
from dljax import catalog
assert "vae" not in [a.name for a in catalog.architectures()]
for path in sorted(pathlib.Path("experiments").glob("*/*.py")):
    dljax.load(path)
print("whole")
"""
    out = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert out.stdout.strip() == "whole", out.stderr
    collected = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-p", "no:cacheprovider", "tests"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert collected.returncode == 0, collected.stdout[-2000:]
    assert "test_every_parameter_has_a_gradient[lenet]" in collected.stdout


def test_every_module_is_covered_by_a_room():
    rooms = {room_of(path) for path in FILES}
    known = set(MAY_IMPORT) | NEUTRAL | {"cli", "__init__", "__main__"}
    assert rooms <= known, f"say in MAY_IMPORT what {rooms - known} may import"


def test_every_folder_is_a_package():
    """pkgutil walks what is importable: a folder without __init__ would be passed over."""
    for folder in {path.parent for path in FILES}:
        assert (folder / "__init__.py").exists(), folder


def test_ci_runs_the_readme_test_command():
    commands = [
        line
        for line in (ROOT / "README.md").read_text().splitlines()
        if line.startswith("python3 -m venv .venv")
    ]
    assert len(commands) == 2
    assert commands[1] in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_table_of_faults_is_about_this_code():
    """Each line to be broken occurs once, and the tests that must see it are there."""
    spec = importlib.util.spec_from_file_location("faults", ROOT / "benchmarks" / "faults.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    table = module.table((ROOT / "benchmarks" / "faults.txt").read_text(encoding="utf-8"))
    assert len(table) > 70
    for fault in table:
        assert (ROOT / fault.file).read_text(encoding="utf-8").count(fault.old) == 1, fault.name
        assert all((ROOT / test.partition("::")[0]).exists() for test in fault.tests), fault.name
