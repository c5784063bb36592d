"""Image files of a command line, as rows of a run's set."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dljax.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from dljax.data.pipeline import EvalSet


def files_of(words: Sequence[Path]) -> list[Path]:
    """The files that are named, and of a folder every image in it and in the folders in it.

    Raises:
        UserError: a word that is no file, or a folder without images.
    """
    from dljax.data.sources import formats

    files: list[Path] = []
    for word in words:
        found = sorted(formats.images_below(word)) if word.is_dir() else [word]
        if not found:
            raise UserError(f"{word} holds no images ({', '.join(formats.SUFFIXES)})")
        files += found
    for file in files:
        if not file.is_file():
            raise UserError(f"{file} is no file: name images, or a folder of them")
    return files


def examples_of(files: Sequence[Path], data: "EvalSet", command: str) -> dict[str, "np.ndarray"]:
    """The files as rows of a set, transformed as it is; every label is 0.

    Raises:
        UserError: a file that is no image, or a set that has none.
    """
    import numpy as np

    from dljax.data.sources import images_on_disk

    like = data.source.gather(np.zeros(1, np.int64))
    label = np.zeros(len(files), np.int32)
    if "encoded" in like:
        rows = images_on_disk.ImageFiles(files, label).gather(np.arange(len(files)))
    elif "image" in like and like["image"].ndim == 4:
        shape = like["image"].shape[1:]
        rows = {"image": images_on_disk.resized(files, shape), "label": label}
    else:
        raise UserError(f"this run's model takes no images: dljax {command} is about images")
    return data.transform(rows, np.zeros(len(files), np.uint64))
