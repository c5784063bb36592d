"""Maps of numbers as colors, beside the images that they are about."""

from collections.abc import Mapping, Sequence

import numpy as np

from dljax.analysis import pictures


def heat(maps, percentile: float = 99.5) -> np.ndarray:
    """Maps [n, h, w] as colors, float32 [n, h, w, 3]: white at 0, red above it, blue below.

    Args:
        percentile: of a map's absolute values, that has full color; a few pixels may be far above.
    """
    maps = np.asarray(maps, np.float32)
    size = np.abs(maps).reshape(len(maps), -1)
    scale = np.percentile(size, percentile, axis=1)
    scale = np.where(scale > 0, scale, size.max(1))  # a few pixels are all there is
    part = np.clip(maps / np.maximum(scale, 1e-30)[:, None, None], -1, 1)[..., None]
    above, below = np.maximum(part, 0), np.maximum(-part, 0)
    red, blue = (np.array(x, np.float32) for x in ((0.7, 0.0, 0.1), (0.0, 0.2, 0.7)))
    return 1 - above * (1 - red) - below * (1 - blue)


def colored(images) -> np.ndarray:
    """Images, float in 0..1 or uint8, of one or three channels, as float32 [n, h, w, 3]."""
    images = np.asarray(images)
    if images.dtype == np.uint8:
        images = images / np.float32(255)
    images = images if images.ndim == 4 else images[..., None]
    return np.broadcast_to(images, (*images.shape[:3], 3)).astype(np.float32)


def answers(label, guess, names: Sequence[str] = ()) -> list[str]:
    """Captions: a class, or "truth as guess" where the two differ.

    Args:
        label, guess: [n] integers.
        names: of the classes; their numbers by default.
    """

    def name(i: int) -> str:
        return names[i] if names else str(i)

    pairs = zip(label, guess, strict=True)
    return [name(y) if y == g else f"{name(y)} as {name(g)}" for y, g in pairs]


def rows(columns: Sequence[np.ndarray], captions: Sequence[str]) -> np.ndarray:
    """A picture with a row for each example, enlarged to be read.

    Args:
        columns: colors in 0..1 [n, h, w, 3], one array for each column.
        captions: n times the number of columns, row by row.
    """
    shown = np.stack(columns, 1)
    enlarge = max(1, 84 // shown.shape[2])
    shown = shown.reshape(-1, *shown.shape[2:])
    return pictures.labelled(shown, captions, len(columns), enlarge=enlarge)


def table(images, maps: Mapping[str, np.ndarray], captions: Sequence[str]) -> np.ndarray:
    """A row for each image: the image with its caption, then its maps with their names.

    Args:
        images: [n, h, w, 1 or 3], floats in 0..1 or uint8.
        maps: name -> numbers [n, h, w].
        captions: one of each image.
    """
    words = [word for caption in captions for word in (caption, *maps)]
    return rows([colored(images), *map(heat, maps.values())], words)
