"""Images of another kind than a classifier was trained on, to measure what it makes of them."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import numpy as np

from dljax.data.datasets import photos
from dljax.data.sources import formats, images_on_disk
from dljax.errors import UserError, nearest

# Made of nothing, of the classifier's own images, or of photographs that install with scikit-learn.
MADE = ("noise", "shuffled", "photos")
# Datasets whose test images serve.
SETS = ("digits", "mnist", "fashion_mnist", "cifar10")


def _fractions(image: np.ndarray) -> np.ndarray:
    """Bytes as float32 in 0..1, to the bit as ``transforms.unit`` makes them."""
    return np.multiply(image, np.float32(1 / 255), dtype=np.float32)


def resized(images, shape: tuple[int, int, int]) -> np.ndarray:
    """Images uint8 [n, h, w, 1 or 3] as float32 [n, *shape] in 0..1, bilinearly, gray or in color.

    Args:
        shape: (h, w, c), c of 1 or 3.
    """
    from PIL import Image

    h, w, c = shape
    out = []
    for image in np.asarray(images):
        picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
        picture = picture.convert("L" if c == 1 else "RGB").resize((w, h), 2)  # 2: bilinear
        out.append(np.asarray(picture).reshape(shape))
    return _fractions(np.stack(out))


def images(name: str, inside: np.ndarray, limit: int, seed: int = 0) -> np.ndarray:
    """Images of a kind, float32 [n, h, w, c] in 0..1, at most ``limit``.

    Args:
        name: "noise" (uniform), "shuffled" (the pixels of ``inside``, each image's by a permutation of
            its own), "photos" (patches of two photographs), a dataset (``SETS``), or a folder.
        inside: the classifier's own images [m, h, w, c] in 0..1.
        seed: of draws.

    Raises:
        UserError: there is no such kind, or the dataset is not here.
    """
    rng = np.random.default_rng(seed)
    shape: tuple[int, int, int] = inside.shape[1:]
    n = min(limit, len(inside))
    if name == "noise":
        return rng.random((n, *shape), np.float32)
    if name == "shuffled":
        pixels = inside[:n].reshape(n, -1, shape[-1])
        order = np.argsort(rng.random(pixels.shape[:2]), axis=1)
        return np.take_along_axis(pixels, order[..., None], 1).reshape(n, *shape)
    if shape[-1] not in (1, 3):
        raise UserError(f"images of {shape[-1]} channels: only 'noise' and 'shuffled' are as they")
    if name == "photos":
        patches, _ = photos.load(size=min(160, max(shape[:2])))
        return resized(patches.gather(rng.integers(0, len(patches), n))["image"], shape)
    if name in SETS:
        _, test = import_module(f"dljax.data.datasets.{name}").load()
        return resized(test.gather(np.arange(min(limit, len(test))))["image"], shape)
    if Path(name).is_dir():
        return _folder(Path(name), shape, limit)
    raise UserError(f"no set {name!r} and no folder; {nearest(name, (*MADE, *SETS))}")


def _folder(path: Path, shape: Sequence[int], limit: int) -> np.ndarray:
    files = sorted(formats.images_below(path))[:limit]
    if not files:
        raise UserError(f"{path} holds no images ({', '.join(formats.SUFFIXES)})")
    return _fractions(images_on_disk.resized(files, tuple(shape)))
