"""Small image sets: decoded once, kept in the user's cache as plain arrays, held in memory."""

import functools
import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from dljax.data.pipeline import Arrays, Examples
from dljax.data.sources import formats, tfds
from dljax.errors import UserError
from dljax.folders import cache_folder, tfds_folder

_CHUNK = 2000  # records decoded at once


def cached(name: str, made_from: Sequence[Path], make: Callable[[], Examples]) -> Examples:
    """The arrays that ``make()`` returns, kept as long as the files it reads are the same.

    The cache is one npz file per (name, sizes and times of the files), put in place in one move; it
    may be deleted at any time, and a cache that cannot be written or read is no error.
    """
    stamps = [(str(p.resolve()), p.stat().st_size, p.stat().st_mtime_ns) for p in made_from]
    digest = hashlib.sha256(repr(stamps).encode()).hexdigest()[:16]
    path = cache_folder() / "data" / f"{name.replace('/', '-')}-{digest}.npz"
    if path.is_file():
        try:
            return formats.read_npz(path)
        except UserError:
            pass  # damaged: make it again
    examples = make()
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with os.fdopen(handle, "wb") as out:
            np.savez(out, **examples)  # type: ignore[arg-type]
        os.replace(temporary, path)
    except OSError:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
    return examples


def _decoded(version: Path, split: str, shape: tuple[int, int, int]) -> Examples:
    records = tfds.open_split(version, split)
    image = np.empty((len(records), *shape), np.uint8)
    label = np.empty(len(records), np.int32)
    for start in range(0, len(records), _CHUNK):
        stop = min(start + _CHUNK, len(records))
        got = records.__getitems__(list(range(start, stop)))  # type: ignore[attr-defined]
        if got[0]["image"].shape != shape:
            raise UserError(f"{version}: images {got[0]['image'].shape}, expected {shape}")
        image[start:stop] = np.stack([record["image"] for record in got])
        label[start:stop] = [record["label"] for record in got]
    return {"image": image, "label": label}


@functools.lru_cache(maxsize=2)
def _load(
    name: str, data: str, home: Path, shape: tuple[int, int, int], classes: int
) -> tuple[Arrays, Arrays]:
    folder = Path(data).expanduser() if data else home
    version = tfds.find(name, folder)
    if version is not None:
        splits = {
            split: cached(
                f"{name}-{split}", tfds.files(version), partial(_decoded, version, split, shape)
            )
            for split in ("train", "test")
        }
    elif data:
        splits = formats.labelled_images(folder, shape, classes)
    else:
        ways = tfds.ways_out(name, "idx, npz or png files")
        raise UserError(f"no {name} in {home}: {ways}")
    return Arrays(splits["train"]), Arrays(splits["test"])


def load(name: str, data: str, shape: tuple[int, int, int], classes: int) -> tuple[Arrays, Arrays]:
    """(train, test) of a stock TFDS image set, from a prepared copy or from files.

    Args:
        name: the dataset's name in TFDS.
        data: a folder that holds a prepared ``<name>/<version>``, or files that
            ``formats.labelled_images`` reads; "" for the user's TFDS folder.
        shape: of one image, (h, w, c).
        classes: number of classes.

    Raises:
        UserError: it is nowhere (at once, naming the ways out), or damaged.
    """
    return _load(name, data, tfds_folder(), shape, classes)
