"""Emoji in the styles of Twitter and Google, of the same characters: npm's emoji-datasource-twitter and
emoji-datasource-google 16.0.0 (drawings: Twemoji, CC BY 4.0; Noto Emoji, Apache 2.0).
"""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from dljax.data import fake as fake_data
from dljax.data.pipeline import Arrays
from dljax.data.sources.formats import decoded
from dljax.errors import UserError

STYLES = ("twitter", "google")


def load(*, size: int = 64, data: str = "", fake: bool = False) -> tuple[Arrays, Arrays]:
    """(train, test): ``image`` uint8 [n, size, size, 3] in Twitter's style, ``target`` in Google's.

    Args:
        size: of the images, on white; the files have 64.
        data: a folder with twitter/*.png, google/*.png and captions.tsv, whose columns ``file`` and ``split``
            ("train" or "test") are read.
        fake: made-up images and their negatives.

    Raises:
        UserError: a file is missing, or is no image.
    """
    if fake:
        made = [fake_data.images(n, (size, size, 3), 4, split=s) for s, n in enumerate((64, 16))]
        return tuple(  # type: ignore[return-value]
            Arrays({"image": m.arrays["image"], "target": 255 - m.arrays["image"]}) for m in made
        )
    table = Path(data, "captions.tsv")
    if not data or not table.is_file():
        raise UserError(
            f"no file {str(table)!r}: give the folder with captions.tsv, twitter/*.png and google/*.png with "
            "--data FOLDER; or try --fake true"
        )
    rows, out = rows_of(table, "file", "split"), []
    for split in ("train", "test"):
        names = [row["file"] for row in rows if row["split"] == split]
        pair = [np.stack([_read(Path(data, s, n), size) for n in names]) for s in STYLES]
        out.append(Arrays({"image": pair[0], "target": pair[1]}))
    return out[0], out[1]


def _read(path: Path, size: int) -> np.ndarray:
    if not path.is_file():
        raise UserError(f"no file {str(path)!r}, which captions.tsv names")
    return fitted(decoded(path, path), size)


def rows_of(table: Path, *columns: str) -> list[dict[str, str]]:
    """The rows of a table of tab-separated columns.

    Raises:
        UserError: one of these is not there.
    """
    with table.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    if not rows or not set(columns) <= rows[0].keys():
        *most, last = map(repr, columns)
        raise UserError(f"{table} has no columns {', '.join(most)} and {last}")
    return rows


def fitted(picture: Image.Image, size: int) -> np.ndarray:
    """A picture with sides of ``size``, uint8 [size, size, c]; every pixel is a mean where it is made smaller."""
    if picture.size != (size, size):
        picture = picture.resize((size, size), Image.Resampling.BOX)
    return np.asarray(picture)
