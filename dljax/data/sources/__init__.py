"""Sources of examples: prepared TFDS datasets, local files, large sets on disk, text and graphs."""

import importlib.util
from pathlib import Path

from dljax.errors import UserError


def embedded(data: str) -> None:
    """Refuse a folder of files for a dataset that installs with a package.

    Raises:
        UserError: ``data`` is not empty.
    """
    if data:
        raise UserError(
            f"--data {data}: this dataset is installed and reads no files; leave it out"
        )


def package_folder(name: str) -> Path:
    """The folder of an installed package, whose files are read and not imported.

    Raises:
        UserError: it is not installed.
    """
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise UserError(f"{name} is not installed: pip install {name}")
    return Path(found.origin).parent
