"""Images in two resolutions: the small ones that a network enlarges, and what they were made of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dljax.data.images import cubic, interpolation
from dljax.data.pipeline import Arrays, Examples, Transform, uniform
from dljax.errors import UserError

# Red, green and blue in luma, of levels 16 to 235 for black to white: ITU-R BT.601 as in MATLAB's rgb2ycbcr.
_LUMA = np.array([65.481, 128.553, 24.966]) / 255


def luma(rgb: np.ndarray) -> np.ndarray:
    """Luma of colors: levels of 0 to 255 [..., 3] -> float64 [...] in 16 to 235."""
    return 16 + rgb.astype(np.float64) @ _LUMA


def bicubic(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """An image [h, w, c] at another size, float32: bicubic, free of aliases (``images.cubic``), not rounded.

    Its values may go beyond the old ones by a few percent.
    """
    h, w, c = image.shape
    tall = interpolation(h, height, cubic) @ image.astype(np.float32).reshape(h, w * c)
    wide = interpolation(w, width, cubic) @ tall.reshape(height, w, c)
    return wide


def _objects(images: Sequence[np.ndarray]) -> np.ndarray:
    out = np.empty(len(images), object)
    out[:] = images
    return out


@dataclass(frozen=True)
class Pairs:
    """A source: images of any sizes, small and as they were, float32 in 0..1.

    Attributes:
        low: [h, w, c] each.
        high: [scale h, scale w, c] each.
        scale: sides of ``high`` by those of ``low``.
    """

    low: Sequence[np.ndarray]
    high: Sequence[np.ndarray]
    scale: int

    def __len__(self) -> int:
        return len(self.low)

    def gather(self, indices: np.ndarray) -> Examples:
        """``image`` (small) and ``high``, object arrays [b] of images."""
        return {
            "image": _objects([self.low[i] for i in indices]),
            "high": _objects([self.high[i] for i in indices]),
        }

    def alone(self, index: int) -> Arrays:
        """One image as a source: ``image`` [1, h, w, c], ``high`` [1, scale h, scale w, c]."""
        return Arrays({"image": self.low[index][None], "high": self.high[index][None]})


def pairs(photos: Sequence[np.ndarray], scale: int, *, gray: bool) -> Pairs:
    """Photos and what is left of them at a ``scale``-th of their sides, as 8-bit files would keep it.

    Args:
        photos: uint8 [h, w, 3] each; rows and columns beyond a multiple of ``scale`` are cut off.
        gray: luma alone (``luma`` / 255), else the three colors.

    Raises:
        UserError: a photo is smaller than ``scale``.
    """

    def one(photo: np.ndarray) -> np.ndarray:
        values = luma(photo)[..., None] if gray else photo
        return (values / 255).astype(np.float32)

    low, high = [], []
    for photo in photos:
        h, w = (side // scale for side in photo.shape[:2])
        if not min(h, w):
            raise UserError(f"a photo of {photo.shape[:2]} pixels at a {scale}th of its sides")
        photo = photo[: h * scale, : w * scale]
        small = np.clip(np.floor(bicubic(photo, h, w) + 0.5), 0, 255)
        low.append(one(small))
        high.append(one(photo))
    return Pairs(low, high, scale)


def windows(size: int, scale: int) -> Transform:
    """A transform of ``Pairs``: from each, a window at random in one of its eight orientations.

    ``image`` float32 [b, size, size, c] and ``high`` [b, scale size, scale size, c] show the same place.

    Raises:
        UserError: (the transform) a small image is smaller than that.
    """

    def transform(examples: Examples, seeds: np.ndarray) -> Examples:
        draws = np.stack([uniform(seeds, name) for name in ("top", "left", "orientation")], 1)
        out: dict[str, list[np.ndarray]] = {"image": [], "high": []}
        for low, high, (top, left, turn) in zip(
            examples["image"], examples["high"], draws, strict=True
        ):
            h, w = low.shape[:2]
            if size > min(h, w):
                raise UserError(
                    f"windows of {size} pixels of an image of {h}x{w}: take a smaller size"
                )
            row, column = int(top * (h - size + 1)), int(left * (w - size + 1))
            for name, image, by in (("image", low, 1), ("high", high, scale)):
                y, x, side = row * by, column * by, size * by
                window = np.rot90(image[y : y + side, x : x + side], int(turn * 8) % 4)
                out[name].append(window[:, ::-1] if turn >= 0.5 else window)
        return {name: np.stack(images) for name, images in out.items()}

    return transform


def averaged(size: int, black: float = -1.0) -> Transform:
    """A transform of float images [b, h, w, c] to sides of ``size``, a power of 2.

    They are widened evenly to the next power of 2, by pixels of the value ``black``; every new pixel is the
    mean of a block.

    Raises:
        UserError: (the transform) ``size`` is no power of 2, or beyond the widened sides.
    """

    def transform(examples: Examples, seeds: np.ndarray) -> Examples:
        image = examples["image"]
        h, w = image.shape[1:3]
        frame = 1 << (max(h, w) - 1).bit_length()
        if size < 1 or frame % size:
            raise UserError(
                f"size {size} of images of {h}x{w}: expected a power of 2, {frame} at most"
            )
        edges = [((frame - side) // 2, (frame - side + 1) // 2) for side in (h, w)]
        image = np.pad(image, [(0, 0), *edges, (0, 0)], constant_values=black)
        step = frame // size
        blocks = image.reshape(len(image), size, step, size, step, image.shape[-1])
        return {**examples, "image": blocks.mean((2, 4), dtype=np.float32)}

    return transform
