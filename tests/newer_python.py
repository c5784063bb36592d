"""A smoke run for another Python: import everything, train three experiments for two steps.

python tests/newer_python.py FOLDER
"""

import importlib
import pkgutil
import sys
from pathlib import Path

import jax
from smoke import EXPERIMENTS, smoke

import dljax
from dljax.runtime.loop import run

STEMS = ("lenet", "gpt", "gcn")


def main() -> None:
    folder = Path(sys.argv[1])
    for module in pkgutil.walk_packages(dljax.__path__, "dljax."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for path in (p for p in EXPERIMENTS if p.stem in STEMS):
        result = run(
            smoke(path, steps=2), dljax.load_profile("cpu"), folder / path.stem, quiet=True
        )
        print(f"{path.stem}: {result.metrics}")
    print(f"Python {sys.version.split()[0]}, jax {jax.__version__}: all imported, three trained")


if __name__ == "__main__":
    main()
