"""Two photographs that install with scikit-learn (a temple, a flower; 427 x 640 RGB), as patches:
real natural images for denoising, super-resolution and texture, without a download.
"""

import functools

import numpy as np

from dljax.data.fake import images as fake_images
from dljax.data.pipeline import Arrays, Examples
from dljax.data.sources import embedded
from dljax.errors import UserError

SIDES = (427, 640)
_BORDER = SIDES[1] * 3 // 4  # test patches lie to the right of this column


@functools.lru_cache(maxsize=1)
def photographs() -> np.ndarray:
    """uint8 [2, 427, 640, 3]."""
    from sklearn.datasets import load_sample_images  # takes a second to import

    return np.stack(load_sample_images().images)


class Patches:
    """Every position of a ``size`` x ``size`` window in some rows of some photographs, by index."""

    def __init__(self, photos: np.ndarray, size: int):
        self.windows = np.lib.stride_tricks.sliding_window_view(photos, (size, size), axis=(1, 2))
        self.shape = self.windows.shape[:3]

    def __len__(self) -> int:
        return int(np.prod(self.shape))

    def gather(self, indices: np.ndarray) -> Examples:
        photo, row, column = np.unravel_index(indices, self.shape)
        patches = self.windows[photo, row, column]  # [b, 3, size, size]
        return {
            "image": np.ascontiguousarray(patches.transpose(0, 2, 3, 1)),
            "photo": photo.astype(np.int32),
        }


def load(*, size: int = 32, fake: bool = False) -> tuple[Patches | Arrays, Patches | Arrays]:
    """(train, test): ``image`` uint8 [b, size, size, 3], ``photo`` int32 [b]: 0 temple, 1 flower.

    Test patches come from the right quarter of each photograph, which no training patch touches.

    Raises:
        UserError: a size that does not fit.
    """
    if fake:
        train, test = (fake_images(512, (size, size, 3), 2, split=s).arrays for s in (0, 1))
        return tuple(  # type: ignore[return-value]
            Arrays({"image": a["image"], "photo": a["label"]}) for a in (train, test)
        )
    if not 1 <= size <= SIDES[1] - _BORDER:
        raise UserError(f"patches of {size}: expected 1 to {SIDES[1] - _BORDER} pixels")
    photos = photographs()
    return Patches(photos[:, :, :_BORDER], size), Patches(photos[:, :, _BORDER:], size)


def parts(*, data: str = "", fake: bool = False) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """(train, test): the same parts of the photographs, whole: uint8 [427, 480, 3] and [427, 160, 3], two each.

    Args:
        data: must be empty: nothing is read from files.
        fake: made-up ones of 96x96 pixels.

    Raises:
        UserError: a folder in ``data``.
    """
    embedded(data)
    if fake:
        made = (fake_images(2, (96, 96, 3), 2, split=s).arrays["image"] for s in (0, 1))
        return tuple(map(list, made))  # type: ignore[return-value]
    photos = photographs()
    return list(photos[:, :, :_BORDER]), list(photos[:, :, _BORDER:])
