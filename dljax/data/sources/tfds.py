"""Prepared TFDS datasets, read without TensorFlow (``tfds.data_source``) and without the network.

Files are looked for first, because TFDS spends minutes on the network over a dataset that is absent.
"""

import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dljax.errors import UserError
from dljax.folders import tfds_folder


def find(name: str, folder: str | Path | None = None) -> Path | None:
    """The newest prepared version of a dataset, or None.

    Args:
        name: "mnist", or "dataset/config".
        folder: holds ``<name>/<version>/dataset_info.json``; the user's TFDS folder by default.
    """
    home = (Path(folder) if folder else tfds_folder()) / name
    versions = [p.parent for p in home.glob("*/dataset_info.json")]
    return max(versions, key=lambda p: [int(n) for n in re.findall(r"\d+", p.name)], default=None)


def ways_out(name: str, files: str) -> str:
    """Remedies for an absent dataset: the tail of the message that says so."""
    return (
        f"set TFDS_DATA_DIR to a folder with a prepared {name}, or give --data FOLDER of {files}, or "
        "prepare it where there is a network: pip install 'dljax[tf]' && python -c \"import "
        f"tensorflow_datasets as tfds; tfds.builder('{name}', file_format='array_record')"
        '.download_and_prepare()"'
    )


def files(version: Path) -> list[Path]:
    """The data files of a prepared version (to key a cache by)."""
    return sorted(p for p in version.iterdir() if ".array_record" in p.name)


def open_split(version: Path, split: str, *, encoded: bool = False) -> Sequence[dict[str, Any]]:
    """Random access to the examples of a prepared version.

    Args:
        version: its folder, from ``find``.
        split: "train", "test", ...
        encoded: leave images as the bytes of their files.

    Raises:
        UserError: the version is damaged, prepared in another file format, or has no such split.
    """
    try:
        info = json.loads((version / "dataset_info.json").read_text("utf-8"))
        kind = info.get("fileFormat", "tfrecord")
        splits = {s["name"]: s for s in info["splits"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{version / 'dataset_info.json'} is damaged: prepare it again") from None
    if kind != "array_record":
        raise UserError(
            f"{version} was prepared as {kind}, which only TensorFlow reads: prepare it again with "
            "tfds.builder(..., file_format='array_record')"
        )
    if split not in splits:
        raise UserError(f"{version} has no split {split!r}: it has {', '.join(sorted(splits))}")
    import tensorflow_datasets as tfds  # half a second to import

    logging.getLogger("absl").setLevel(logging.ERROR)  # it recommends OpenCV once per process
    try:
        builder = tfds.builder_from_directory(version)
        decoders = {"image": tfds.decode.SkipDecoding()} if encoded else None
        source = builder.as_data_source(split, decoders=decoders)
        expected = sum(int(n) for n in splits[split]["shardLengths"])
        if len(source) != expected:
            raise ValueError(f"{len(source)} examples where {expected} were written")
        source[len(source) - 1]  # type: ignore[index]
    except Exception as error:  # array_record and protobuf each have kinds of their own
        if isinstance(error, (ImportError, MemoryError)):
            raise
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(
            f"{version} cannot be read ({first}): its files are truncated or foreign, prepare it again"
        ) from None
    return source  # type: ignore[return-value]
