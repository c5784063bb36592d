"""Handwritten digits (see ``digits``) in two styles, as pairs or as two sets without: white on black, and another
way of drawing them. Translation between images, without a download.
"""

from typing import Literal

import numpy as np
from scipy import ndimage

from dljax.data.datasets import digits
from dljax.data.pipeline import Arrays
from dljax.errors import UserError

Style = Literal["inverted", "outlined"]


def drawn(image: np.ndarray, style: Style) -> np.ndarray:
    """The digits uint8 [n, h, w, c] in a style: black on white, or as their outlines alone.

    An outline is the digit's largest neighborhood value less its smallest, over 3x3 pixels.
    """
    if style == "inverted":
        return 255 - image
    size = (1, 3, 3, 1)
    return ndimage.maximum_filter(image, size) - ndimage.minimum_filter(image, size)


def load(
    style: Style = "inverted", *, size: int = 16, data: str = "", fake: bool = False
) -> tuple[Arrays, Arrays]:
    """(train, test): ``image`` uint8 [n, size, size, 1], ``target`` the same digits in the style.

    Raises:
        UserError: a path in ``data``, or a size below 16.
    """
    if size < 16:
        raise UserError(f"digits of {size} pixels in styles: expected 16 or more")
    sets = digits.load(size=size, data=data, fake=fake)
    return tuple(  # type: ignore[return-value]
        Arrays({"image": one.arrays["image"], "target": drawn(one.arrays["image"], style)})
        for one in sets
    )
