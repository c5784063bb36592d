"""Image sets too large for memory: files or TFDS records, read by index through Grain."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dljax.data.pipeline import Examples
from dljax.data.sources import formats
from dljax.errors import UserError


def through_grain(items: Sequence[Any], function: Callable[[Any], Any]) -> list[Any]:
    """``function`` of every item, in order, in Grain's threads (decoding releases the GIL)."""
    import grain  # a second to import

    options = grain.ReadOptions(num_threads=2 * (os.cpu_count() or 1), prefetch_buffer_size=64)
    return list(grain.MapDataset.source(items).map(function).to_iter_dataset(options))


def _encoded(examples: Sequence[tuple[bytes, int, str]]) -> Examples:
    raw, label, origin = zip(*examples, strict=True)
    encoded = np.empty(len(raw), object)  # bytes of different lengths
    encoded[:] = raw
    return {"encoded": encoded, "label": np.array(label, np.int32), "origin": np.array(origin)}


@dataclass(frozen=True)
class ImageFiles:
    """Image files and their labels, int32 [n].

    Gathers ``encoded`` (a file's bytes), ``label``, and ``origin`` (its name, for errors).

    Attributes:
        names: of the classes.
    """

    paths: Sequence[Path]
    label: np.ndarray
    names: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.paths)

    def gather(self, indices: np.ndarray) -> Examples:
        def read(i: int) -> tuple[bytes, int, str]:
            path = self.paths[i]
            try:
                return path.read_bytes(), int(self.label[i]), str(path)
            except OSError as error:
                raise UserError(f"{path} cannot be read: {error.strerror or error}") from None

        return _encoded(through_grain([int(i) for i in indices], read))


@dataclass(frozen=True)
class ImageRecords:
    """A TFDS split opened with ``encoded=True``, which gathers as ``ImageFiles`` does."""

    records: Any
    names: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.records)

    def gather(self, indices: np.ndarray) -> Examples:
        where = [int(i) for i in indices]
        pairs = zip(where, self.records.__getitems__(where), strict=True)
        return _encoded(
            [(r["image"], int(r["label"]), f"image {i} of the TFDS split") for i, r in pairs]
        )


def folder(path: Path, like: Path | None = None) -> ImageFiles:
    """A folder with one folder of images per class, labeled by ``formats.class_folders``."""
    return ImageFiles(*formats.class_folders(path, like), formats.class_names(like or path))


def resized(paths: Sequence[Path], shape: tuple[int, ...]) -> np.ndarray:
    """Image files as uint8 [n, h, w, c]: the middle of each that has the aspect of ``shape``, resized.

    Args:
        shape: (h, w, c), c of 1 (gray) or 3.

    Raises:
        UserError: a file that is no image.
    """
    h, w, c = shape

    def one(path: Path) -> np.ndarray:
        with path.open("rb") as file:
            image = formats.decoded(file, path, c)
        scale = min(image.width / w, image.height / h)
        left, top = (image.width - scale * w) / 2, (image.height - scale * h) / 2
        box = (left, top, left + scale * w, top + scale * h)
        return np.asarray(image.resize((w, h), 2, box=box)).reshape(shape)  # 2: bilinear

    return np.stack(through_grain(paths, one))
