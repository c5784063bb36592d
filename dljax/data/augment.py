"""Augmentations of uint8 images: jittered colors, RandAugment, random erasing.

Each image is changed by its own seed alone. They come before ``images.standardize``:

    transforms.chain(images.random_resized_crop(224), augment.rand_augment(), images.standardize())
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from dljax.data import color
from dljax.data.pipeline import Examples, Transform, derived, uniform
from dljax.data.sources.images_on_disk import through_grain
from dljax.errors import UserError

_BLOCK = 2**16  # pixels whose float32 colors stay in a processor's cache


def _levels(examples: Examples, what: str, channels: Sequence[int] = ()) -> np.ndarray:
    """The examples' ``image``.

    Raises:
        UserError: it is not uint8 [b, h, w, c] with one of these numbers of channels, if any.
    """
    image = examples.get("image")
    c = " or ".join(map(str, channels)) or "c"
    expected = f"{what} expects image uint8 [b, h, w, {c}]"
    if image is None:
        raise UserError(f"{expected}, found {', '.join(examples)}: put it after a crop of files")
    fits = image.dtype == np.uint8 and image.ndim == 4
    if not fits or (channels and image.shape[-1] not in channels):
        shown = f"{image.dtype} {list(image.shape)}"
        raise UserError(f"{expected}, found {shown}: put it before the images are standardized")
    return image


# Colors


def _blocks(rows: np.ndarray, pixels: int) -> Iterator[np.ndarray]:
    size = max(1, _BLOCK // pixels)
    return (rows[start : start + size] for start in range(0, len(rows), size))


def color_jitter(
    brightness: float = 0.0, contrast: float = 0.0, saturation: float = 0.0, hue: float = 0.0
) -> Transform:
    """Change the colors of uint8 images [b, h, w, 3] as torchvision's ColorJitter does on tensors.

    The first three are factors, uniform in max(0, 1 - x) to 1 + x; the hue is turned by a fraction
    of the color circle, uniform in -x to x. What is 0 is left out. The order is drawn for each image,
    and each step ends in 8 bits (see ``dljax.data.color``).

    Raises:
        UserError: an amount below 0, or a hue above 0.5; other images.
    """
    given = {"brightness": brightness, "contrast": contrast, "saturation": saturation, "hue": hue}
    for name, x in given.items():
        if not 0 <= x <= (0.5 if name == "hue" else math.inf):
            most = "0 to 0.5" if name == "hue" else "0 or more"
            raise UserError(f"{name} {x} of color_jitter: expected {most}")
    functions = (color.brightness, color.contrast, color.saturation, color.hue)
    steps = [
        (name, function, (-x, x) if name == "hue" else (max(0.0, 1 - x), 1 + x))
        for (name, x), function in zip(given.items(), functions, strict=True)
        if x
    ]

    def apply(examples: Examples, seeds: np.ndarray) -> Examples:
        out = _levels(examples, "color_jitter", (3,)).copy()
        if not steps:
            return examples
        # Sorting independent draws gives every order the same chance.
        draws = np.stack([uniform(seeds, f"color_jitter {name} place") for name, *_ in steps], 1)
        order = draws.argsort(1)
        for place in range(len(steps)):
            for which, (name, function, (low, high)) in enumerate(steps):
                chosen = np.flatnonzero(order[:, place] == which)
                for rows in _blocks(chosen, out.shape[1] * out.shape[2]):
                    amount = low + (high - low) * uniform(seeds[rows], f"color_jitter {name}")
                    out[rows] = function(out[rows], amount)
        return {**examples, "image": out}

    return apply


# RandAugment


def _affine(image: Image.Image, *matrix: float) -> Image.Image:
    """Each pixel from the place (ax + by + c, dx + ey + f), the nearest; black outside."""
    method, nearest = Image.Transform.AFFINE, Image.Resampling.NEAREST
    return image.transform(image.size, method, matrix, nearest)


def _enhanced(kind: Callable[[Image.Image], Any], image: Image.Image, s: float) -> Image.Image:
    return kind(image).enhance(1 + 0.9 * s)


# (image, strength -1 to 1) -> image. Lengths are shares of 331 pixels, the side in the papers' search.
OPERATIONS: dict[str, Callable[[Image.Image, float], Image.Image]] = {
    "Identity": lambda image, s: image,
    "ShearX": lambda image, s: _affine(image, 1, 0.3 * s, 0, 0, 1, 0),
    "ShearY": lambda image, s: _affine(image, 1, 0, 0, 0.3 * s, 1, 0),
    "TranslateX": lambda image, s: _affine(image, 1, 0, -int(150 / 331 * image.width * s), 0, 1, 0),
    "TranslateY": lambda image, s: _affine(
        image, 1, 0, 0, 0, 1, -int(150 / 331 * image.height * s)
    ),
    "Rotate": lambda image, s: image.rotate(30 * s, Image.Resampling.NEAREST),
    "Brightness": lambda image, s: _enhanced(ImageEnhance.Brightness, image, s),
    "Color": lambda image, s: _enhanced(ImageEnhance.Color, image, s),
    "Contrast": lambda image, s: _enhanced(ImageEnhance.Contrast, image, s),
    "Sharpness": lambda image, s: _enhanced(ImageEnhance.Sharpness, image, s),
    "Posterize": lambda image, s: ImageOps.posterize(image, 8 - round(4 * abs(s))),
    "Solarize": lambda image, s: ImageOps.solarize(image, math.ceil(255 * (1 - abs(s)))),
    "AutoContrast": lambda image, s: ImageOps.autocontrast(image),
    "Equalize": lambda image, s: ImageOps.equalize(image),
}


def rand_augment(operations: int = 2, magnitude: float = 9) -> Transform:
    """Apply operations, drawn evenly from 14 with replacement, to uint8 images [b, h, w, 1 or 3].

    RandAugment: Cubuk et al. 2019, arXiv:1909.13719, section 3. All have the same magnitude, and
    half of those that have a direction go the other way. Strengths are those of torchvision on
    images that pillow holds: at 30 a shear of 0.3, a shift by 150/331 of the side, 30 degrees,
    colors and sharpness times 0.1 or 1.9, 4 bits, a threshold of 0; pixels are the nearest ones,
    and black outside.

    Args:
        operations: of each image, one after another.
        magnitude: 0 to 30.

    Raises:
        UserError: another magnitude, no operation, other images.
    """
    if operations != int(operations) or operations < 1:
        raise UserError(f"operations {operations} of rand_augment: expected 1 or more")
    if not 0 <= magnitude <= 30:
        raise UserError(f"magnitude {magnitude} of rand_augment: expected 0 to 30")
    functions = tuple(OPERATIONS.values())

    def one(row: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
        pixels, which, strengths = row
        image = Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels)
        for i, strength in zip(which, strengths, strict=True):
            image = functions[i](image, float(strength))
        return np.asarray(image).reshape(pixels.shape)

    def apply(examples: Examples, seeds: np.ndarray) -> Examples:
        image = _levels(examples, "rand_augment", (1, 3))
        drawn = [uniform(seeds, f"rand_augment operation {i}") for i in range(operations)]
        which = (np.stack(drawn, 1) * len(functions)).astype(int)
        signs = [uniform(seeds, f"rand_augment sign {i}") < 0.5 for i in range(operations)]
        strengths = np.where(np.stack(signs, 1), -magnitude / 30, magnitude / 30)
        rows = list(zip(image, which, strengths, strict=True))
        return {**examples, "image": np.stack(through_grain(rows, one))}

    return apply


# Random erasing

_TRIES = 10


def random_erasing(
    probability: float = 0.5,
    area: tuple[float, float] = (0.02, 0.4),
    aspect: float = 0.3,
    fill: Sequence[float] | None = None,
) -> Transform:
    """Erase a rectangle of some of the uint8 images [b, h, w, c].

    Zhong et al. 2017, arXiv:1708.04896, algorithm 1, but that aspects of r and 1/r are equally
    likely (theirs are uniform), and that a rectangle which fits into the image lies anywhere in it
    with the same chance. One that does not fit is drawn again, up to ten times.

    Args:
        probability: of an image to be erased.
        area: smallest and largest share of the image.
        aspect: smallest height / width; the largest is its inverse.
        fill: levels [c] of the erased pixels, as 255 * IMAGENET_MEAN; by default each is noise, 0 to
            255 (the paper's best).

    Raises:
        UserError: numbers out of these ranges; a fill of another number of channels; other images.
    """
    if not 0 <= probability <= 1:
        raise UserError(f"probability {probability} of random_erasing: expected 0 to 1")
    if not 0 < area[0] <= area[1] <= 1:
        raise UserError(
            f"area {area} of random_erasing: expected two shares in order, above 0 to 1"
        )
    if not 0 < aspect <= 1:
        raise UserError(f"aspect {aspect} of random_erasing: expected above 0, to 1")
    levels = None if fill is None else np.clip(np.rint(fill), 0, 255).astype(np.uint8)

    def sides(seeds: np.ndarray, h: int, w: int) -> tuple[np.ndarray, np.ndarray]:
        """Heights and widths in pixels; 0 where none was found that fits."""
        height, width = np.zeros((2, len(seeds)), int)
        for i in range(_TRIES):
            share = area[0] + (area[1] - area[0]) * uniform(seeds, f"random_erasing area {i}")
            ratio = aspect ** (1 - 2 * uniform(seeds, f"random_erasing aspect {i}"))
            tall = np.maximum(np.rint(np.sqrt(share * h * w * ratio)), 1).astype(int)
            wide = np.maximum(np.rint(np.sqrt(share * h * w / ratio)), 1).astype(int)
            new = (height == 0) & (tall <= h) & (wide <= w)
            height, width = np.where(new, tall, height), np.where(new, wide, width)
        return height, width

    def apply(examples: Examples, seeds: np.ndarray) -> Examples:
        out = _levels(examples, "random_erasing").copy()
        _, h, w, c = out.shape
        if levels is not None and levels.shape != (c,):
            raise UserError(f"fill {fill} of random_erasing: expected {c} levels, one a channel")
        height, width = sides(seeds, h, w)
        top = (uniform(seeds, "random_erasing top") * (h - height + 1)).astype(int)
        left = (uniform(seeds, "random_erasing left") * (w - width + 1)).astype(int)
        noise = derived(seeds, "random_erasing noise")
        for i in np.flatnonzero(uniform(seeds, "random_erasing") < probability):
            box = out[i, top[i] : top[i] + height[i], left[i] : left[i] + width[i]]
            if levels is None:  # eight levels from each draw, of the same bits on every machine
                count = np.arange(-(-box.size // 8), dtype=np.uint64)
                drawn = derived(noise[i] + count, "level").astype("<u8").view(np.uint8)
                box[...] = drawn[: box.size].reshape(box.shape)
            else:
                box[...] = levels
        return {**examples, "image": out}

    return apply
