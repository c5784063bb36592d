"""The user's folders that dljax reads or writes."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """The user's cache folder, for compiled programs and decoded data."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dljax"


def tfds_folder() -> Path:
    """The folder of prepared TFDS datasets: ``TFDS_DATA_DIR``, or TFDS' own default."""
    return Path(os.environ.get("TFDS_DATA_DIR") or Path.home() / "tensorflow_datasets").expanduser()
