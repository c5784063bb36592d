"""Emoji of people in five skin tones, with captions: npm's emoji-datasource-twitter 16.0.0 (drawings: Twemoji,
CC BY 4.0).
"""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dljax.data import fake as fake_data
from dljax.data.datasets.emoji import fitted, rows_of
from dljax.data.sources.captions import Captioned, captioned
from dljax.data.sources.formats import decoded
from dljax.errors import UserError

TONES = ("light", "medium light", "medium", "medium dark", "dark")
_CODES = ("1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF")


def load(*, size: int = 32, data: str = "", fake: bool = False) -> Captioned:
    """Pictures uint8 [size, size, 3] of things that have one tone: of each five pictures, one is held out.

    The i-th thing of the table is not seen in its tone i modulo 5: so is "waving hand sign, dark skin tone" a
    test caption where waving hands of four other tones were seen.

    Args:
        size: of the images, on white; the files have 64.
        data: a folder with tones.tsv, whose columns ``file``, ``caption``, ``base_file`` and ``tone`` are read,
            and twitter_tones.zip of its files.
        fake: made-up images and captions.

    Raises:
        UserError: a file is missing, or is no image.
    """
    if fake:
        made = fake_data.images(100, (size, size, 3), 4).arrays["image"]
        told = [(f"thing{i // 5} {TONES[i % 5]} skin tone", i // 5, i % 5) for i in range(100)]
        return _split(made, told)
    table, pictures = Path(data, "tones.tsv"), Path(data, "twitter_tones.zip")
    if not data or not table.is_file() or not pictures.is_file():
        raise UserError(
            f"no tones.tsv and twitter_tones.zip in {data!r}: give the folder that has them with "
            "--data FOLDER; or try --fake true"
        )
    rows = rows_of(table, "file", "caption", "base_file", "tone")
    found = [row for row in rows if row["tone"] in _CODES]  # of one tone, not of two people's
    bases: Mapping[str, int] = {
        name: i for i, name in enumerate(dict.fromkeys(row["base_file"] for row in found))
    }
    try:
        with zipfile.ZipFile(pictures) as files:
            image = np.stack([_read(files.read(row["file"]), row["file"], size) for row in found])
    except (KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{pictures}: {error.args[0]}") from None
    return _split(
        image, [(r["caption"], bases[r["base_file"]], _CODES.index(r["tone"])) for r in found]
    )


def _read(content: bytes, name: str, size: int) -> np.ndarray:
    return fitted(decoded(io.BytesIO(content), name), size)


def _split(image: np.ndarray, rows: list[tuple[str, int, int]]) -> Captioned:
    """Of (caption, number of the thing, of its tone)."""
    held = np.array([base % 5 == tone for _, base, tone in rows])
    texts = np.array([text for text, *_ in rows], object)
    return captioned((image[~held], texts[~held]), (image[held], texts[held]))
