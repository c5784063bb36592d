"""Olivetti faces: 400 of 40 people, as Roweis cropped the database of AT&T Laboratories Cambridge. Samaria &
Harter 1994, doi:10.1109/ACV.1994.341300.
"""

from pathlib import Path

import numpy as np

from dljax.data import fake as fake_data
from dljax.data.pipeline import Arrays
from dljax.errors import UserError

PEOPLE, EACH, SIZE = 40, 10, 64
_FILE = "olivettifaces.mat"
_HELD_OUT = 2  # the last faces of each person


def load(*, data: str = "", fake: bool = False) -> tuple[Arrays, Arrays]:
    """(train, test): ``image`` uint8 [n, 64, 64, 1], ``label`` int32 [n], the person; 320 and 80 faces.

    Args:
        data: a folder with olivettifaces.mat, whose ``faces`` are uint8 [4096, 400], a face a column,
            its pixels column by column.
        fake: made-up images of the same shapes.

    Raises:
        UserError: there is no such file, or it holds something else.
    """
    if fake:
        shape = (SIZE, SIZE, 1)
        return fake_data.images(320, shape, PEOPLE), fake_data.images(80, shape, PEOPLE, split=1)
    path = Path(data, _FILE)
    if not data or not path.is_file():
        raise UserError(
            f"no file {str(path)!r}: give the folder with {_FILE} (S. Roweis' page of data) with --data "
            "FOLDER; or try --fake true"
        )
    faces, label = _read(path), np.repeat(np.arange(PEOPLE, dtype=np.int32), EACH)
    test = np.arange(len(label)) % EACH >= EACH - _HELD_OUT
    return (
        Arrays({"image": faces[~test], "label": label[~test]}),
        Arrays({"image": faces[test], "label": label[test]}),
    )


def _read(path: Path) -> np.ndarray:
    from scipy.io import loadmat

    try:
        faces = loadmat(path, variable_names=["faces"]).get("faces")
    except Exception as error:  # of a damaged file, of whatever type
        raise UserError(f"{path} is no MATLAB 5 file: {error}") from error
    expected = (SIZE * SIZE, PEOPLE * EACH)
    if faces is None or faces.shape != expected or faces.dtype != np.uint8:
        found = "none" if faces is None else f"{faces.dtype} {list(faces.shape)}"
        raise UserError(f"faces in {path}: expected uint8 {list(expected)}, found {found}")
    return np.ascontiguousarray(faces.T.reshape(-1, SIZE, SIZE, 1).swapaxes(1, 2))
