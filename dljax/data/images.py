"""Transforms of images: the augmentations of the papers, drawn per example from its seed."""

import functools
import io
from collections.abc import Callable

import numpy as np

from dljax.data.pipeline import Examples, Source, Transform, uniform
from dljax.data.sources import formats
from dljax.errors import UserError

# ImageNet's channel means and deviations, for pixels in 0..1
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)


def standardize(mean=IMAGENET_MEAN, std=IMAGENET_STD) -> Transform:
    """uint8 images to float32, (pixel / 255 - mean) / std."""
    scale, shift = np.float32(1 / 255) / np.float32(std), np.float32(mean) / np.float32(std)

    def apply(examples: Examples, seeds: np.ndarray) -> Examples:
        image = examples["image"]
        *_, w, c = image.shape
        # Along whole rows of pixels: numpy's loop over three channels at a time takes 12 times as long.
        scales, shifts = (np.tile(np.broadcast_to(x, c), w) for x in (scale, shift))
        out = np.multiply(image.reshape(*image.shape[:-2], w * c), scales, dtype=np.float32)
        out -= shifts
        return {**examples, "image": out.reshape(image.shape)}

    return apply


def as_color(examples: Examples, seeds: np.ndarray) -> Examples:
    """A transform: gray images [b, h, w, 1] with three equal channels."""
    image = examples["image"]
    return {**examples, "image": np.broadcast_to(image, (*image.shape[:3], 3))}


def pad_crop_flip(pad: int = 4, *, flip: bool = True) -> Transform:
    """Pad with zeros, crop the old size at random, mirror half of them (He et al. 2015, 4.2)."""

    def apply(examples: Examples, seeds: np.ndarray) -> Examples:
        image = examples["image"]
        b, h, w, _ = image.shape
        padded = np.pad(image, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
        top = (uniform(seeds, "top") * (2 * pad + 1)).astype(int)
        left = (uniform(seeds, "left") * (2 * pad + 1)).astype(int)
        columns = left[:, None] + np.arange(w)
        if flip:
            mirrored = uniform(seeds, "flip") < 0.5
            columns = np.where(mirrored[:, None], columns[:, ::-1], columns)
        rows = top[:, None] + np.arange(h)
        at = np.arange(b)[:, None, None]
        return {**examples, "image": padded[at, rows[:, :, None], columns[:, None, :]]}

    return apply


def triangle(x: np.ndarray) -> np.ndarray:
    """The kernel of bilinear interpolation, 0 from a distance of 1 on."""
    return np.maximum(0.0, 1.0 - x)


def cubic(x: np.ndarray) -> np.ndarray:
    """The kernel of bicubic interpolation, 0 from a distance of 2 on. Keys 1981,
    doi:10.1109/TASSP.1981.1163711, equation 15; MATLAB's and Pillow's.
    """
    near, far = (1.5 * x - 2.5) * x**2 + 1, ((2.5 - 0.5 * x) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


@functools.lru_cache(maxsize=64)
def interpolation(
    old: int, new: int, kernel: Callable[[np.ndarray], np.ndarray] = triangle
) -> np.ndarray:
    """float32 [new, old]: weights of a kernel of distances, in pixels of the coarser of the two grids.

    So a smaller image is free of aliases. Pixels have their centers at a half, and those beyond the border do
    not count.
    """
    return windows(old, new, np.zeros(1), np.array([old]), kernel)[0]


def windows(
    old: int,
    new: int,
    start: np.ndarray,
    width: np.ndarray,
    kernel: Callable[[np.ndarray], np.ndarray] = triangle,
) -> np.ndarray:
    """float32 [b, new, old]: ``interpolation`` of a window for each image, in its pixels' numbers.

    Args:
        start, width: [b], of the windows, which lie within 0 and ``old``.
    """
    scale = (width / new)[:, None]
    center = start[:, None] + (np.arange(new) + 0.5) * scale
    distance = np.abs(np.arange(old) + 0.5 - center[..., None]) / np.maximum(scale, 1.0)[..., None]
    weight = kernel(distance)
    return (weight / weight.sum(2, keepdims=True)).astype(np.float32)


def separable(image: np.ndarray, down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Images uint8 [b, h, w, c] by weights of their rows [b, i, h] and columns [b, j, w], to uint8
    [b, i, j, c], rounded to the nearest level.
    """
    b, h, w, c = image.shape
    tall = (down @ image.reshape(b, h, w * c).astype(np.float32)).reshape(b, -1, w, c)
    out = np.matmul(across[:, None], tall)
    return np.clip(out + np.float32(0.5), 0, 255).astype(np.uint8)


def resize(size: int) -> Transform:
    """Images [b, h, w, c] to [b, size, size, c], bilinearly, as Pillow's ``Image.resize`` does.

    Pixels have their centers at a half, and those beyond the border do not count; a smaller image
    averages over all pixels that it covers. uint8 images are rounded to levels, float32 ones are not.
    An image of that size stays as it is.

    Raises:
        UserError: a size below 1.
    """
    if size < 1:
        raise UserError(f"images resized to {size} pixels: expected 1 or more")

    def apply(examples: Examples, seeds: np.ndarray) -> Examples:
        image = examples["image"]
        b, h, w, c = image.shape
        if (h, w) == (size, size):
            return examples

        def level(x: np.ndarray) -> np.ndarray:
            return np.floor(x + np.float32(0.5)) if image.dtype == np.uint8 else x

        # As Pillow: along the rows first, rounded to levels in between.
        wide = level(interpolation(w, size) @ image.reshape(b * h, w, c).astype(np.float32))
        tall = level(interpolation(h, size) @ wide.reshape(b, h, size * c))
        return {**examples, "image": tall.astype(image.dtype).reshape(b, size, size, c)}

    return apply


def _each(function: Callable[..., np.ndarray], examples: Examples, *draws) -> Examples:
    """``function`` of every decoded image and its draws, in Grain's threads.

    An error names an image by its ``origin``, where the source gives one.
    """
    from dljax.data.sources.images_on_disk import through_grain

    def one(row: tuple) -> np.ndarray:
        raw, origin, *drawn = row
        return function(formats.decoded(io.BytesIO(raw), origin), *drawn)

    encoded = examples["encoded"]
    origins = examples.get("origin", ["an image"] * len(encoded))
    rest = {k: v for k, v in examples.items() if k not in ("encoded", "origin")}
    rows = list(zip(encoded, origins, *draws, strict=True))
    return {**rest, "image": np.stack(through_grain(rows, one))}


def center_crop(size: int, fraction: float = 0.875) -> Transform:
    """``encoded`` files to ``image`` uint8 [b, size, size, 3]: the middle square, its side the
    given fraction of the image's shorter one, resized bilinearly, as ImageNet evaluations do.
    """

    def one(image) -> np.ndarray:
        side = min(image.size) * fraction
        left, top = ((n - side) / 2 for n in image.size)
        box = (left, top, left + side, top + side)
        return np.asarray(image.resize((size, size), 2, box=box))  # 2: bilinear

    return lambda examples, seeds: _each(one, examples)


def random_resized_crop(size: int, least_area: float = 0.08, *, flip: bool = True) -> Transform:
    """``encoded`` files, or ``image`` uint8 [b, h, w, c], to ``image`` uint8 [b, size, size, 3 or c]: a window
    of ``least_area`` to all of the area and of aspect 3/4 to 4/3, resized, mirrored half the time (Szegedy
    et al. 2014, arXiv:1409.4842, section 6). A window that does not fit is cut to the image.

    Args:
        flip: mirror, which digits are not to be.
    """

    def window(height: int, width: int, area, aspect, x, y) -> tuple:
        """(left, top, width, height) in pixels; numbers, or arrays of them."""
        pixels = (least_area + (1 - least_area) * area) * width * height
        ratio = np.exp((2 * aspect - 1) * np.log(4 / 3))
        w = np.minimum(np.sqrt(pixels * ratio), width)
        h = np.minimum(np.sqrt(pixels / ratio), height)
        return x * (width - w), y * (height - h), w, h

    def one(image, mirrored, *draws) -> np.ndarray:
        left, top, w, h = window(image.height, image.width, *draws)
        out = np.asarray(image.resize((size, size), 2, box=(left, top, left + w, top + h)))
        return out[:, ::-1] if mirrored else out

    def apply(examples: Examples, seeds: np.ndarray) -> Examples:
        draws = [uniform(seeds, name) for name in ("area", "aspect", "x", "y")]
        mirrored = (uniform(seeds, "flip") < 0.5) & flip
        if "image" not in examples:
            return _each(one, examples, mirrored, *draws)
        image = examples["image"]
        left, top, w, h = window(*image.shape[1:3], *draws)
        down, across = windows(image.shape[1], size, top, h), windows(image.shape[2], size, left, w)
        across = np.where(mirrored[:, None, None], across[:, ::-1], across)
        return {**examples, "image": separable(image, down, across)}

    return apply


def pixel_variance(source: Source) -> float:
    """Variance of all pixels and channels of a source's uint8 images, taken in 0..1."""
    counts = np.zeros(256, np.int64)
    for start in range(0, len(source), 1000):
        rows = np.arange(start, min(start + 1000, len(source)))
        counts += np.bincount(source.gather(rows)["image"].ravel(), minlength=256)
    share, level = counts / counts.sum(), np.arange(256) / 255
    return float(share @ level**2 - (share @ level) ** 2)
