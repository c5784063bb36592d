"""Two versions of each image, for networks that learn what they share. Chen et al. 2020, arXiv:2002.05709,
section 3 and appendix A.
"""

import numpy as np

from dljax.data import color
from dljax.data.augment import color_jitter
from dljax.data.images import as_color, separable
from dljax.data.pipeline import Examples, Transform, derived, unchanged, uniform
from dljax.data.transforms import chain, one_of


def twice(transform: Transform) -> Transform:
    """The transform's ``image``, and beside it ``second``: the same example transformed by other draws."""

    def apply(examples: Examples, seeds: np.ndarray) -> Examples:
        second = transform(examples, derived(seeds, "second"))["image"]
        return {**transform(examples, seeds), "second": second}

    return apply


def gray(examples: Examples, seeds: np.ndarray) -> Examples:
    """A transform: uint8 images [b, h, w, 3] without their color, in three equal channels."""
    image = examples["image"]
    return {**examples, "image": color.saturation(image, np.zeros(len(image)))}


def gaussian_blur(share: float = 0.1, least: float = 0.1, most: float = 2.0) -> Transform:
    """Blur uint8 images by a Gaussian of a deviation of ``least`` to ``most`` pixels, drawn for each.

    Pixels beyond the border do not count.

    Args:
        share: side of the Gaussian's window, as a part of the image's.
    """

    def apply(examples: Examples, seeds: np.ndarray) -> Examples:
        image = examples["image"]
        deviation = least + (most - least) * uniform(seeds, "blur")

        def weights(side: int) -> np.ndarray:
            distance = np.abs(np.arange(side)[:, None] - np.arange(side))
            bell = np.exp(-(distance**2) / (2 * deviation[:, None, None] ** 2))
            bell = np.where(distance <= max(1, round(share * side / 2)), bell, 0.0)
            return (bell / bell.sum(2, keepdims=True)).astype(np.float32)

        return {**examples, "image": separable(image, *map(weights, image.shape[1:3]))}

    return apply


def toned(strength: float = 0.8) -> Transform:
    """A transform of uint8 images [b, h, w, 1]: jittered brightness and contrast in 80 % of them.

    Two crops of an image share its levels, by which a network could tell it from others without seeing what it
    is of (section 3.1).
    """
    jitter = color_jitter(strength, strength)

    def one_channel(examples: Examples, seeds: np.ndarray) -> Examples:
        changed = jitter(as_color(examples, seeds), seeds)["image"]
        return {**examples, "image": changed[..., :1]}

    return one_of("toned", one_channel, unchanged, weights=(0.8, 0.2))


def distorted(strength: float = 1.0, *, blur: bool = True) -> Transform:
    """A transform of uint8 images: jittered colors in 80 % of them, none in 20 %, and blur in half.

    Args:
        strength: of the colors; 0.5 and no blur for CIFAR-10 (appendix B.9).
    """
    jitter = color_jitter(0.8 * strength, 0.8 * strength, 0.8 * strength, 0.2 * strength)
    steps = [
        one_of("jittered", jitter, unchanged, weights=(0.8, 0.2)),
        one_of("gray", gray, unchanged, weights=(0.2, 0.8)),
    ]
    if blur:
        steps.append(one_of("blurred", gaussian_blur(), unchanged))
    return chain(*steps)
