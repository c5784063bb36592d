"""A classifier as a function of pixels in 0..1, on whatever scale its network takes them.

Instruments draw images, paint them and move them by an epsilon; a network of photographs takes them
standardized, another in -1..1. A run's own transform tells the scale: what it makes of black and of white.
"""

import io
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from dljax.analysis.predictions import Predicts
from dljax.data.pipeline import EvalSet, Examples
from dljax.errors import UserError
from dljax.types import Predict

_SIDE = 64  # of the black and the white file, in pixels
# Rounding of a pixel on its way: a resized constant image is constant to an ulp or two of float32.
_FLAT = 1e-4


class Pixels(NamedTuple):
    """The scale of a network's pixels.

    Attributes:
        low: float32 [1, 1, 1, c], the network's pixel for black.
        high: float32 [1, 1, 1, c], its pixel for white.
    """

    low: np.ndarray
    high: np.ndarray

    def shown(self, image: Any) -> Any:
        """Images as the network takes them [b, h, w, c] -> in 0..1."""
        return (image - self.low) / (self.high - self.low)

    def fed(self, image: Any) -> Any:
        """Images in 0..1 [b, h, w, c] -> as the network takes them."""
        return self.low + image * (self.high - self.low)


def _png(level: int) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (_SIDE, _SIDE), (level,) * 3).save(out, "png")
    return out.getvalue()


def _painted(data: EvalSet, level: int) -> np.ndarray | None:
    """The network's image [h, w, c] for one of a single level; None where no bytes are painted."""
    rows: Examples = dict(data.source.gather(np.zeros(1, np.int64)))
    if "encoded" in rows:
        rows["encoded"] = np.empty(1, object)
        rows["encoded"][0] = _png(level)
    elif rows["image"].dtype == np.uint8:
        rows["image"] = np.full_like(rows["image"], level)
    else:
        return None
    return np.asarray(data.transform(rows, np.zeros(1, np.uint64))["image"][0], np.float32)


def scale(data: EvalSet) -> Pixels:
    """The scale of a set's images, by what its transform makes of a black and of a white one.

    Where images are no bytes, or the transform does not take pixels one by one, it is 0..1 if the first
    images lie there, else their least and largest value.

    Raises:
        UserError: the set has no images [n, h, w, c].
    """
    first = next(data.batches(min(64, len(data.source)))).get("image")
    if first is None or first.ndim != 4:
        raise UserError("a set without images [n, h, w, c]: there are no pixels to look at")
    ends = [_painted(data, level) for level in (0, 255)]
    one = (1, 1, 1, first.shape[-1])
    if all(end is not None and np.ptp(end, axis=(0, 1)).max() < _FLAT for end in ends):
        low, high = (end[0, 0].reshape(one) for end in ends if end is not None)
        if (high - low > _FLAT).all():
            return Pixels(low, high)
    least, largest = float(first.min()), float(first.max())
    if least >= 0 and largest <= 1:
        least, largest = 0.0, 1.0
    return Pixels(np.full(one, least, np.float32), np.full(one, largest, np.float32))


class OfPixels(NamedTuple):
    """A network and a set, both of images in 0..1.

    Attributes:
        predict: (variables, batch) -> the model's output, for ``image`` in 0..1.
        data: the same examples, their ``image`` in 0..1.
        shown: images as the model takes them -> in 0..1.
    """

    predict: Predict
    data: EvalSet
    shown: Callable[[np.ndarray], np.ndarray]


def of_pixels(model: Predicts, data: EvalSet) -> OfPixels:
    """A model and its set, as functions of pixels in 0..1.

    Raises:
        UserError: the model predicts nothing, or the set has no images.
    """
    inner, pixels = model.predict, scale(data)
    if inner is None:
        raise UserError("this task predicts nothing: look at its samples instead")

    def predict(variables, batch):
        return inner(variables, {**batch, "image": pixels.fed(batch["image"])})

    def shown(image):
        return np.asarray(pixels.shown(np.asarray(image)), np.float32)

    def transform(examples, seeds):
        examples = data.transform(examples, seeds)
        return {**examples, "image": shown(examples["image"])}

    return OfPixels(predict, EvalSet(data.source, transform), shown)
