"""Handwritten digits of Alpaydin & Kaynak 1998 (UCI "Optical Recognition"), which install with
scikit-learn: 1,797 real images, 8x8 with 17 levels.
"""

import functools

import numpy as np

from dljax.data import fake as fake_data
from dljax.data.pipeline import Arrays
from dljax.data.sources import embedded

CLASSES = 10
NAMES = tuple("0123456789")
_HELD_OUT = 5  # every fifth image is a test image, so that no writer is in one split alone


@functools.lru_cache(maxsize=1)
def _arrays() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits  # takes a second to import

    bunch = load_digits()
    return bunch.images.astype(np.float32), bunch.target.astype(np.int32)


def _enlarged(images: np.ndarray, size: int) -> np.ndarray:
    """8x8 levels 0..16 to ``size`` x ``size`` uint8 by bilinear interpolation (corners aligned)."""
    n = images.shape[1]
    at = np.linspace(0, n - 1, size)
    low = np.minimum(at.astype(int), n - 2)
    weights = np.zeros((size, n), np.float32)
    weights[np.arange(size), low] = 1 - (at - low)
    weights[np.arange(size), low + 1] = at - low
    big = np.einsum("pi,bij,qj->bpq", weights, images, weights)
    return np.clip(big * (255 / 16) + 0.5, 0, 255).astype(np.uint8)[..., None]


def load(*, size: int = 28, data: str = "", fake: bool = False) -> tuple[Arrays, Arrays]:
    """(train, test): ``image`` uint8 [n, size, size, 1], ``label`` int32 [n]; 1,438 and 359.

    Args:
        size: side in pixels; the 8x8 originals are enlarged bilinearly.
        data: must be empty: nothing is read from files.
        fake: made-up images of the same shapes.

    Raises:
        UserError: a folder in ``data``.
    """
    embedded(data)
    if fake:
        shape = (size, size, 1)
        train = fake_data.images(1438, shape, CLASSES)
        return train.named(NAMES), fake_data.images(359, shape, CLASSES, split=1).named(NAMES)
    images, label = _arrays()
    image = _enlarged(images, size)
    test = np.arange(len(label)) % _HELD_OUT == _HELD_OUT - 1
    return (
        Arrays({"image": image[~test], "label": label[~test]}, NAMES),
        Arrays({"image": image[test], "label": label[test]}, NAMES),
    )
