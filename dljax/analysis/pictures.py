"""Pictures as arrays, for an experiment's looks: float32 [h, w] or [h, w, 3] in 0..1."""

from collections.abc import Sequence

import numpy as np


def _fractions(images) -> np.ndarray:
    """Images as float32 in 0..1 [n, h, w] or [n, h, w, 3]; uint8 is divided by 255."""
    images = np.asarray(images)
    scale = np.float32(1 / 255 if images.dtype == np.uint8 else 1)
    images = images.astype(np.float32) * scale
    return images[..., 0] if images.ndim == 4 and images.shape[-1] == 1 else images


def grid(images, columns: int = 0, *, enlarge: int = 1, gap: int = 1) -> np.ndarray:
    """Images of one size in rows, on white.

    Args:
        images: [n, h, w], [n, h, w, 1] or [n, h, w, 3], floats in 0..1 or uint8.
        columns: images per row; 0 makes the grid about square.
        enlarge: pixels per pixel, along each side.
        gap: white pixels between images, before enlarging.
    """
    images = _fractions(images)
    n, h, w = images.shape[:3]
    columns = min(columns or int(np.ceil(np.sqrt(n))), n)
    rows = -(-n // columns)
    shape = (rows * (h + gap) + gap, columns * (w + gap) + gap, *images.shape[3:])
    out = np.ones(shape, np.float32)
    for i, image in enumerate(images):
        top, left = (i // columns) * (h + gap) + gap, (i % columns) * (w + gap) + gap
        out[top : top + h, left : left + w] = image
    return np.clip(out, 0, 1).repeat(enlarge, 0).repeat(enlarge, 1)


def in_turn(parts: Sequence[np.ndarray], columns: int, *, enlarge: int = 1) -> np.ndarray:
    """A ``grid`` in which a row of one part is followed by the same row of the next part.

    Args:
        parts: images [n, ...] in 0..1 each, of which a last row may be short.
    """
    n = len(parts[0])
    columns = min(columns, n)
    rows = []
    for first in range(0, n, columns):
        for part in parts:
            row = np.asarray(part[first : first + columns])
            white = np.ones((columns - len(row), *row.shape[1:]), row.dtype)
            rows += [row, white]
    return grid(np.concatenate(rows), columns, enlarge=enlarge)


def spread(array) -> np.ndarray:
    """Scale an array, its minimum to 0 and its maximum to 1; a constant one becomes 0."""
    array = np.asarray(array, np.float32)
    low, high = array.min(), array.max()
    return (array - low) / max(high - low, np.float32(1e-12))


def filters(kernel, *, enlarge: int = 8) -> np.ndarray:
    """A convolution's kernel [kh, kw, c, d] as a grid of its d filters.

    Gray 0.5 is weight 0, and every filter shares one scale.

    Raises:
        ValueError: c is neither 1 nor 3.
    """
    kernel = np.asarray(kernel, np.float32)
    if kernel.shape[2] not in (1, 3):
        raise ValueError(f"filters of {kernel.shape[2]} channels: only 1 or 3 can be shown")
    scaled = 0.5 + 0.5 * kernel / max(float(np.abs(kernel).max()), 1e-12)
    return grid(scaled.transpose(3, 0, 1, 2), enlarge=enlarge)


def labelled(images, captions: Sequence[str], columns: int = 8, *, enlarge: int = 2) -> np.ndarray:
    """A ``grid`` with a caption below each image, e.g. "4 as 9"; the longest caption sets the width."""
    from PIL import Image, ImageDraw

    images = _fractions(images)
    images = images.repeat(enlarge, 1).repeat(enlarge, 2)
    ruler = ImageDraw.Draw(Image.new("L", (1, 1)))
    longest = int(max(map(ruler.textlength, captions))) + 4
    missing = max(0, longest - images.shape[2])
    sides = [(0, 0)] * images.ndim
    sides[2] = (missing // 2, missing - missing // 2)
    images = np.pad(images, sides, constant_values=1.0)
    return grid(
        np.stack([_captioned(i, c) for i, c in zip(images, captions, strict=True)]), columns
    )


def _captioned(image: np.ndarray, caption: str, height: int = 14) -> np.ndarray:
    """The image on top of a white strip with the caption in black, in the middle."""
    from PIL import Image, ImageDraw

    strip = Image.new("L", (image.shape[1], height), 255)
    draw = ImageDraw.Draw(strip)
    draw.text(((strip.width - draw.textlength(caption)) // 2, 1), caption, fill=0)
    text = np.asarray(strip, np.float32) / 255
    if image.ndim == 3:
        text = text[..., None].repeat(3, -1)
    return np.concatenate([image, text])


def mistakes(images, labels, logits, names: Sequence[str] = (), *, most: int = 24) -> np.ndarray:
    """The images that a classifier gets most wrong, captioned "truth as guess".

    The worst come first, by the odds of the wrong class against the true one; where none is wrong
    there is one white image.

    Args:
        images: [n, h, w, c], floats in 0..1 or uint8.
        labels: [n] integers.
        logits: [n, classes].
        names: of the classes; their numbers by default.
        most: number of images shown.
    """
    images, labels, logits = np.asarray(images), np.asarray(labels), np.asarray(logits, np.float64)
    guess = logits.argmax(-1)
    at = np.arange(len(labels))
    margin = logits[at, guess] - logits[at, labels]
    worst = [i for i in np.argsort(-margin, kind="stable")[:most] if margin[i] > 0]
    if not worst:
        return grid(np.ones((1, *images.shape[1:])), enlarge=2)

    def name(i: int) -> str:
        return names[i] if names else str(i)

    captions = [f"{name(labels[i])} as {name(guess[i])}" for i in worst]
    return labelled(images[worst], captions)
